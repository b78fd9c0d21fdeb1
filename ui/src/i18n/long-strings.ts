interface Catalogue {
  [key: string]: string | Catalogue;
}

/**
 * A catalogue whose texts are about 40 % longer, with words as long as German's, placeholders left alone.
 * Layouts that hold with it hold with any European language.
 */
export function lengthened(catalogue: Catalogue): Catalogue {
  return Object.fromEntries(
    Object.entries(catalogue).map(([key, value]) => [
      key,
      typeof value === 'string' ? lengthenedText(value) : lengthened(value),
    ]),
  );
}

function lengthenedText(text: string): string {
  const parts = text.split(/(\{\{\w+\}\})/);
  return parts.map((part, at) => (at % 2 === 1 ? part : lengthenedWords(part))).join('');
}

const umlauts: Record<string, string> = { a: 'ä', o: 'ö', u: 'ü' };

function lengthenedWords(text: string): string {
  return text
    .split(/([\p{L}]{3,})/u)
    .map((word, at) => (at % 2 === 0 ? word : at % 4 === 1 ? `${word}überschrift` : `${word}en`))
    .join('')
    .replace(/[aou]/g, (vowel) => umlauts[vowel] ?? vowel);
}
