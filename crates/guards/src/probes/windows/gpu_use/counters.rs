//! Reads performance counters, by [PDH](https://learn.microsoft.com/windows/win32/perfctrs/using-the-pdh-functions-to-consume-counter-data).

use windows_sys::Win32::System::Performance::{
    PDH_CALC_NEGATIVE_DENOMINATOR, PDH_CALC_NEGATIVE_TIMEBASE, PDH_CALC_NEGATIVE_VALUE,
    PDH_CSTATUS_INVALID_DATA, PDH_CSTATUS_NEW_DATA, PDH_CSTATUS_NO_COUNTER, PDH_CSTATUS_NO_COUNTERNAME,
    PDH_CSTATUS_NO_INSTANCE, PDH_CSTATUS_NO_OBJECT, PDH_CSTATUS_VALID_DATA, PDH_FMT, PDH_FMT_COUNTERVALUE_0,
    PDH_FMT_COUNTERVALUE_ITEM_W, PDH_FMT_DOUBLE, PDH_FMT_LARGE, PDH_INVALID_DATA, PDH_MORE_DATA, PDH_NO_DATA,
    PdhAddEnglishCounterW, PdhCloseQuery, PdhCollectQueryData, PdhGetFormattedCounterArrayW, PdhOpenQueryW,
};

/// The instances of a counter take so much at most, in bytes; a thousand processes on eight adapters need a tenth.
const BUFFER_BYTES_MAX: u32 = 64 << 20;

/// The characters of the longest name of an instance that is read. Ours have about eighty.
const NAME_CHARS_MAX: usize = 256;

/// Counters cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CounterError {
    /// There is no such counter: Windows is older than 2017, its counters are turned off, or no driver fills them.
    #[error("this Windows has no counter {counter} (PDH says {status:#010x})")]
    Missing {
        /// Which.
        counter: &'static str,
        /// What PDH said.
        status: u32,
    },
    /// PDH failed.
    #[error("the performance counters do not tell (PDH says {0:#010x})")]
    Pdh(u32),
}

/// Counters that are read together. They are numbers here, as PDH's functions may be called from any thread.
#[derive(Debug)]
pub(super) struct Query {
    query: usize,
    counters: Vec<usize>,
    /// Aligned for the items that PDH writes into it, with their names behind them.
    buffer: Vec<u64>,
}

impl Query {
    /// Of these, by their English names.
    ///
    /// # Errors
    /// When there is no such counter.
    pub fn open(names: &[&'static str]) -> Result<Self, CounterError> {
        let mut query = std::ptr::null_mut();
        #[allow(unsafe_code, reason = "performance counters are only told by PDH")]
        // SAFETY: the pointer that is written through is to a handle, which lives through the call; the other may be null.
        let status = unsafe { PdhOpenQueryW(std::ptr::null(), 0, &raw mut query) };
        if status != 0 {
            return Err(CounterError::Pdh(status));
        }
        // From here on it is closed however this ends.
        let mut opened = Self { query: query as usize, counters: Vec::new(), buffer: Vec::new() };
        for name in names {
            let path: Vec<u16> = name.encode_utf16().chain([0]).collect();
            let mut counter = std::ptr::null_mut();
            #[allow(unsafe_code, reason = "performance counters are only told by PDH")]
            // SAFETY: the query is open, the path ends with a zero, and the pointer that is written through is to a handle; all
            // live through the call.
            let status = unsafe { PdhAddEnglishCounterW(query, path.as_ptr(), 0, &raw mut counter) };
            match status {
                0 => opened.counters.push(counter as usize),
                PDH_CSTATUS_NO_OBJECT
                | PDH_CSTATUS_NO_COUNTER
                | PDH_CSTATUS_NO_COUNTERNAME
                | PDH_CSTATUS_NO_INSTANCE => return Err(CounterError::Missing { counter: name, status }),
                other => return Err(CounterError::Pdh(other)),
            }
        }
        Ok(opened)
    }

    /// Reads all of them.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn collect(&mut self) -> Result<(), CounterError> {
        #[allow(unsafe_code, reason = "performance counters are only told by PDH")]
        // SAFETY: the query is open.
        match unsafe { PdhCollectQueryData(self.query as _) } {
            // No process has anything to do with a GPU.
            0 | PDH_NO_DATA => Ok(()),
            status => Err(CounterError::Pdh(status)),
        }
    }

    /// The rates of one of the counters since the reading before, with the names of their instances; none at the first
    /// reading. Those of instances that did nothing, which are nearly all, are left out.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn rates(&mut self, counter: usize) -> Result<Vec<(String, f64)>, CounterError> {
        #[allow(unsafe_code, reason = "PDH tells figures in a union")]
        // SAFETY: figures of this format are doubles.
        self.read(counter, PDH_FMT_DOUBLE, |value| {
            Some(unsafe { value.doubleValue }).filter(|rate| *rate > 0.0)
        })
    }

    /// The amounts of one of the counters as they were read last, with the names of their instances.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn amounts(&mut self, counter: usize) -> Result<Vec<(String, i64)>, CounterError> {
        #[allow(unsafe_code, reason = "PDH tells figures in a union")]
        // SAFETY: figures of this format are large integers.
        self.read(counter, PDH_FMT_LARGE, |value| Some(unsafe { value.largeValue }))
    }

    fn read<T>(
        &mut self,
        counter: usize,
        format: PDH_FMT,
        figure: impl Fn(&PDH_FMT_COUNTERVALUE_0) -> Option<T>,
    ) -> Result<Vec<(String, T)>, CounterError> {
        let Some(handle) = self.counters.get(counter).copied() else { return Ok(Vec::new()) };
        loop {
            let buffer_bytes = u32::try_from(self.buffer.len() * size_of::<u64>()).unwrap_or(0);
            let (mut bytes, mut items) = (buffer_bytes, 0);
            let buffer =
                if buffer_bytes == 0 { std::ptr::null_mut() } else { self.buffer.as_mut_ptr().cast() };
            #[allow(unsafe_code, reason = "performance counters are only told by PDH")]
            // SAFETY: the counter is one of a query that is open, and the buffer is as large as is said and aligned for what is
            // written into it; all live through the call.
            let status = unsafe {
                PdhGetFormattedCounterArrayW(handle as _, format, &raw mut bytes, &raw mut items, buffer)
            };
            match status {
                // Without a buffer there was nothing that it could have been filled with.
                0 if buffer_bytes == 0 => return Ok(Vec::new()),
                0 => return Ok(self.items(items as usize, figure)),
                PDH_MORE_DATA if bytes > buffer_bytes && bytes <= BUFFER_BYTES_MAX => {
                    // A little more than it needs, so that another process does not have it grow again.
                    let length = (bytes as usize).div_ceil(size_of::<u64>());
                    self.buffer.resize(length + length / 4, 0);
                }
                // There is nothing to compare with yet, or nothing at all.
                PDH_INVALID_DATA
                | PDH_NO_DATA
                | PDH_CSTATUS_INVALID_DATA
                | PDH_CALC_NEGATIVE_DENOMINATOR
                | PDH_CALC_NEGATIVE_TIMEBASE
                | PDH_CALC_NEGATIVE_VALUE => return Ok(Vec::new()),
                other => return Err(CounterError::Pdh(other)),
            }
        }
    }

    /// What the buffer holds. An instance that is new, or that ended, has no figure.
    fn items<T>(
        &self,
        count: usize,
        figure: impl Fn(&PDH_FMT_COUNTERVALUE_0) -> Option<T>,
    ) -> Vec<(String, T)> {
        let count = count.min(size_of_val(self.buffer.as_slice()) / size_of::<PDH_FMT_COUNTERVALUE_ITEM_W>());
        let first = self.buffer.as_ptr().cast::<PDH_FMT_COUNTERVALUE_ITEM_W>();
        let mut items = Vec::new();
        for place in 0..count {
            #[allow(unsafe_code, reason = "PDH writes items into bytes")]
            // SAFETY: PDH has written so many items, which are plain numbers and addresses, to the beginning of the buffer, which
            // is large enough and aligned for them.
            let item = unsafe { first.add(place).read() };
            if [PDH_CSTATUS_VALID_DATA, PDH_CSTATUS_NEW_DATA].contains(&item.FmtValue.CStatus)
                && let Some(figure) = figure(&item.FmtValue.Anonymous)
            {
                items.push((name(item.szName), figure));
            }
        }
        items
    }
}

/// What is behind a number is aligned for what PDH writes.
const _: () = assert!(align_of::<PDH_FMT_COUNTERVALUE_ITEM_W>() <= align_of::<u64>());

impl Drop for Query {
    #[allow(unsafe_code, reason = "queries are only closed by PDH")]
    fn drop(&mut self) {
        // SAFETY: the query was opened, is closed once with its counters, and is not used after.
        unsafe {
            PdhCloseQuery(self.query as _);
        }
    }
}

#[allow(unsafe_code, reason = "PDH tells names by their addresses")]
fn name(characters: *const u16) -> String {
    if characters.is_null() {
        return String::new();
    }
    // SAFETY: PDH has written a text with a zero at its end into the buffer that holds the item, which nobody has written to
    // since; no more is read than up to that zero.
    let length = (0..NAME_CHARS_MAX).take_while(|at| unsafe { *characters.add(*at) } != 0).count();
    // SAFETY: as above.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(characters, length) })
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::System::Performance::PDH_FMT_COUNTERVALUE;

    use super::*;

    #[test]
    fn a_counter_that_is_not_there_is_said_to_be_missing() {
        const NONE: &str = "\\Lull Was Never Here(*)\\At All";
        let error = Query::open(&[NONE]).unwrap_err();
        assert!(matches!(error, CounterError::Missing { counter: NONE, .. }), "{error}");
        assert!(error.to_string().contains("Lull Was Never Here"), "{error}");
    }

    /// Windows has counters of processes wherever it has any; Wine has a handful of others.
    #[test]
    fn instances_are_read_with_their_figures() {
        match Query::open(&["\\Process(*)\\ID Process", "\\Process(*)\\% Processor Time"]) {
            Err(CounterError::Missing { .. }) => {
                println!("SKIPPED: this Windows has no counters of processes")
            }
            Err(error) => panic!("{error}"),
            Ok(mut query) => {
                query.collect().unwrap();
                assert_eq!(query.rates(1), Ok(Vec::new()), "a rate is of the time since the reading before");
                query.collect().unwrap();
                let own = i64::from(std::process::id());
                let ids = query.amounts(0).unwrap();
                assert!(
                    ids.iter().any(|(name, id)| *id == own && name.starts_with("lull_guards")),
                    "{ids:?}"
                );
                assert!(query.rates(1).unwrap().iter().any(|(name, _)| name == "_Total"));
                assert_eq!(query.amounts(2), Ok(Vec::new()), "there is no such counter in it");
            }
        }
    }

    #[test]
    fn only_items_with_a_figure_are_read() {
        let names = ["a\0", "b\0", "c\0"].map(|name| name.encode_utf16().collect::<Vec<u16>>());
        let item = |place: usize, status: u32, figure: i64| PDH_FMT_COUNTERVALUE_ITEM_W {
            szName: names[place].as_ptr().cast_mut(),
            FmtValue: PDH_FMT_COUNTERVALUE {
                CStatus: status,
                Anonymous: PDH_FMT_COUNTERVALUE_0 { largeValue: figure },
            },
        };
        let items = [
            item(0, PDH_CSTATUS_VALID_DATA, 7),
            item(1, PDH_CSTATUS_INVALID_DATA, 8),
            item(2, PDH_CSTATUS_NEW_DATA, -9),
        ];
        let mut query = Query { query: 0, counters: Vec::new(), buffer: vec![0; size_of_val(&items) / 8] };
        #[allow(unsafe_code, reason = "it stands for PDH, which writes items into bytes")]
        // SAFETY: the buffer is as large as the items and aligned for them.
        unsafe {
            query.buffer.as_mut_ptr().cast::<[PDH_FMT_COUNTERVALUE_ITEM_W; 3]>().write(items);
        }
        #[allow(unsafe_code, reason = "PDH tells figures in a union")]
        // SAFETY: the figures are large integers.
        let large = |value: &PDH_FMT_COUNTERVALUE_0| Some(unsafe { value.largeValue });
        let read = |count| query.items(count, large);
        let all = vec![("a".to_owned(), 7), ("c".to_owned(), -9)];
        assert_eq!((read(3), read(2), read(0)), (all.clone(), all[..1].to_vec(), Vec::new()));
        assert_eq!(read(9), all, "no more than it holds");
        assert_eq!(query.items(3, |value| large(value).filter(|figure| *figure > 0)), all[..1]);
        // It was not opened, and is not to be closed.
        std::mem::forget(query);
    }

    #[test]
    fn names_end_at_their_zero() {
        let text: Vec<u16> = "pid_1é\0x".encode_utf16().collect();
        assert_eq!(name(text.as_ptr()), "pid_1é");
        assert_eq!(name(std::ptr::null()), "");
    }
}
