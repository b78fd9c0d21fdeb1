import { describe, expect, it } from 'vitest';

import { formatMoney, moneyParts, parseMillionths, writeMillionths } from '../src/format/money';

describe('money', () => {
  it.each([
    [0, '0.00'],
    [1, '0.000001'],
    [1_850, '0.00185'],
    [1_000_000, '1.00'],
    [1_250_000, '1.25'],
    [1_234_567_890_123, '1,234,567.890123'],
    [-302_400, '−0.3024'],
    // A float of 0.1 + 0.2 would show here.
    [300_000, '0.30'],
    [Number.MAX_SAFE_INTEGER, '9,007,199,254.740991'],
  ])('writes %i base units as %s', (units, text) => {
    expect(formatMoney(units, 'en')).toBe(text);
  });

  it('writes every amount so that it can be read back', () => {
    for (let units = 0; units < 3_000_000; units += 997) {
      expect(parseMillionths(formatMoney(units, 'en'))).toBe(units);
    }
  });

  it('follows the language in marks alone', () => {
    expect(formatMoney(1_234_500_000, 'de')).toBe('1.234,50');
    expect(formatMoney(1_234_500_000, 'zh-CN')).toBe('1,234.50');
  });

  it('keeps cents apart from the rest', () => {
    expect(moneyParts(509_850, 'en')).toMatchObject({ whole: '0', cents: '50', rest: '985' });
  });

  it.each([0.5, NaN, Infinity, 2 ** 60])('refuses %d, which is no whole number of base units', (units) => {
    expect(() => formatMoney(units, 'en')).toThrow(RangeError);
  });

  it.each([
    ['0.15', 150_000],
    ['0,15', 150_000],
    [' 12 ', 12_000_000],
    ['0.1234567', null],
    ['-1', null],
    ['1e3', null],
    ['', null],
    ['abc', null],
  ])('reads the price “%s” as %s', (text, millionths) => {
    expect(parseMillionths(text)).toBe(millionths);
  });

  it('writes a price back as it was typed', () => {
    expect(writeMillionths(150_000)).toBe('0.15');
    expect(writeMillionths(123_456)).toBe('0.123456');
    expect(writeMillionths(1_000_000)).toBe('1.00');
  });
});
