//! From tokens' bytes to text: whole characters alone, and an end at the first of the strings where it is to stop.

/// What was written with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Text that is certain; may be empty.
    pub text: String,
    /// A string at which the text was to stop has come. `text` ends before it.
    pub stopped: bool,
}

/// A text that grows by tokens.
#[derive(Clone, Debug)]
pub struct Text {
    stops: Vec<Vec<u8>>,
    /// Bytes that may become part of a stop string or of a character.
    held: Vec<u8>,
    stopped: bool,
}

impl Text {
    /// A text that ends before the first of `stops`. Empty ones stop nothing.
    pub fn new(stops: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let stops = stops.into_iter().map(|stop| stop.into().into_bytes()).filter(|stop| !stop.is_empty());
        Self { stops: stops.collect(), held: Vec::new(), stopped: false }
    }

    /// Goes on with a token's bytes. After it has stopped, nothing more is written.
    pub fn push(&mut self, bytes: &[u8]) -> Written {
        if self.stopped {
            return Written { text: String::new(), stopped: true };
        }
        self.held.extend_from_slice(bytes);
        let first = self.stops.iter().filter_map(|stop| find(&self.held, stop)).min();
        if let Some(at) = first {
            self.stopped = true;
            let text = String::from_utf8_lossy(&self.held[..at]).into_owned();
            self.held.clear();
            return Written { text, stopped: true };
        }
        let certain = self.certain();
        let text = String::from_utf8_lossy(&self.held[..certain]).into_owned();
        self.held.drain(..certain);
        Written { text, stopped: false }
    }

    /// What was held back at the end, when no more tokens come.
    pub fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        String::from_utf8_lossy(&held).into_owned()
    }

    /// How many of the bytes held can be part neither of a stop string nor of a character that is not whole.
    fn certain(&self) -> usize {
        let starts_stop = |at: usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..]));
        let longest = self.stops.iter().map(Vec::len).max().unwrap_or(0);
        let from = self.held.len().saturating_sub(longest.saturating_sub(1));
        let mut certain = (from..self.held.len()).find(|at| starts_stop(*at)).unwrap_or(self.held.len());
        // At most three bytes of a character can wait for its last.
        let tail = certain.saturating_sub(3);
        for at in (tail..certain).rev() {
            let wanted = match self.held[at] {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                0x80..=0xbf => continue,
                _ => break,
            };
            if certain - at < wanted {
                certain = at;
            }
            break;
        }
        certain
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(stops: &[&str], tokens: &[&[u8]]) -> (Vec<String>, bool, String) {
        let mut text = Text::new(stops.iter().copied());
        let written: Vec<_> = tokens.iter().map(|token| text.push(token)).collect();
        let stopped = written.last().is_some_and(|written| written.stopped);
        (written.into_iter().map(|written| written.text).collect(), stopped, text.finish())
    }

    #[test]
    fn text_is_written_as_it_comes() {
        assert_eq!(written(&[], &[b"Hel", b"lo"]), (vec!["Hel".into(), "lo".into()], false, String::new()));
    }

    #[test]
    fn a_character_is_written_when_it_is_whole() {
        let (texts, stopped, rest) = written(&[], &[b"gr\xc3", b"\xbc\xc3\x9f", b"e\xf0\x9f", b"\x98\x80"]);
        assert_eq!(texts, ["gr", "üß", "e", "😀"]);
        assert_eq!((stopped, rest.as_str()), (false, ""));
    }

    #[test]
    fn a_character_that_never_becomes_whole_is_replaced() {
        assert_eq!(written(&[], &[b"a\xf0\x9f"]).2, "\u{fffd}");
        assert_eq!(written(&[], &[b"a\x80b"]).0, ["a\u{fffd}b"]);
        assert_eq!(written(&[], &[b"\xf5x"]).0, ["\u{fffd}x"]);
    }

    #[test]
    fn text_ends_before_a_stop_string() {
        let (texts, stopped, rest) = written(&["\n\n", "END"], &[b"one\n", b"two E", b"N", b"D three"]);
        assert_eq!(texts, ["one", "\ntwo ", "", ""]);
        assert!(stopped);
        assert_eq!(rest, "");
    }

    #[test]
    fn the_first_of_several_stops() {
        let (texts, stopped, _) = written(&["b", "ab"], &[b"xaby"]);
        assert_eq!((texts.concat().as_str(), stopped), ("x", true));
    }

    #[test]
    fn what_only_looked_like_a_stop_string_is_written() {
        let (texts, stopped, rest) = written(&["STOP"], &[b"ST", b"AR", b"ST"]);
        assert_eq!((texts, stopped, rest.as_str()), (vec!["".into(), "STAR".into(), "".into()], false, "ST"));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_is_cut(text in "[a-cß😀\n]{0,40}", cuts in prop::collection::vec(1_usize..4, 0..60), stop in "[a-c]{1,3}") {
            let mut whole = Text::new([stop.clone()]);
            let mut got = String::new();
            let mut left = text.as_bytes();
            for cut in cuts.into_iter().chain(std::iter::repeat(3)) {
                if left.is_empty() {
                    break;
                }
                let (now, later) = left.split_at(cut.min(left.len()));
                left = later;
                got += &whole.push(now).text;
            }
            got += &whole.finish();
            let wanted = text.split(&stop).next().unwrap_or_default();
            prop_assert_eq!(got, wanted);
        }
    }
}
