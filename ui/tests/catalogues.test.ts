import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import en from '../src/i18n/en.json';
import { lengthened } from '../src/i18n/long-strings';
import zhCN from '../src/i18n/zh-CN.json';

interface Catalogue {
  [key: string]: string | Catalogue;
}

function flat(catalogue: Catalogue, prefix = ''): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [key, value] of Object.entries(catalogue)) {
    if (typeof value === 'string') texts.set(prefix + key, value);
    else flat(value, `${prefix}${key}.`).forEach((text, inner) => texts.set(inner, text));
  }
  return texts;
}

const placeholders = (text: string) => [...new Set(text.match(/\{\{\w+\}\}/g) ?? [])].sort();
const withoutPlural = (key: string) => key.replace(/_(zero|one|other)$/, '');

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.tsx?$/.test(path) && !path.startsWith('bindings'))
  .map((path) => readFileSync(join('src', path), 'utf8'))
  .join('\n');
/** Keys written out whole. */
const named = new Set(
  [...sources.matchAll(/['"`]([a-z]+(?:\.[a-z0-9_]+)+)['"`]/g)].map((match) => match[1] ?? ''),
);
/** Beginnings of keys that end in a value, such as `state.${name}.title`. */
const computed = [...sources.matchAll(/`([a-z_]+\.[a-z0-9_.]*)\$\{[^}]+\}([a-z0-9_.]*)`/g)].map((match) => ({
  start: match[1] ?? '',
  end: match[2] ?? '',
}));

describe('catalogues', () => {
  const english = flat(en);
  const chinese = flat(zhCN);

  it('have the same keys', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it('have the same placeholders in every text', () => {
    for (const [key, text] of english) expect(placeholders(chinese.get(key) ?? ''), key).toEqual(placeholders(text));
  });

  it('are not empty, and Chinese is translated', () => {
    const same = new Set(['app.name', 'money.usdc', 'wizard.benchmark.spread']);
    for (const [key, text] of chinese) {
      expect(text.trim(), key).not.toBe('');
      if (!same.has(key) && /[a-z]{4}/.test(text.replace(/\{\{\w+\}\}/g, ''))) {
        expect(text, key).toMatch(/\p{Script=Han}/u);
      }
    }
  });

  it('have every key that is used', () => {
    const roots = new Set(Object.keys(en));
    const keys = new Set([...english.keys()].map(withoutPlural));
    const used = [...named].filter((key) => roots.has(key.split('.')[0] ?? ''));
    // Names of things in storage look like keys.
    const unknown = used.filter((key) => !keys.has(key) && !sources.includes(`= '${key}'`));
    expect(unknown).toEqual([]);
    for (const { start, end } of computed.filter(({ start }) => roots.has(start.split('.')[0] ?? ''))) {
      const found = [...keys].some((key) => key.startsWith(start) && key.endsWith(end));
      expect(found, `${start}…${end}`).toBe(true);
    }
  });

  it('have no key that nobody uses', () => {
    const unused = [...english.keys()]
      .map(withoutPlural)
      .filter((key) => !named.has(key) && !computed.some(({ start, end }) => key.startsWith(start) && key.endsWith(end)));
    expect(unused).toEqual([]);
  });

  it('are lengthened for layout tests with their placeholders whole', () => {
    const long = flat(lengthened(en));
    for (const [key, text] of english) {
      expect(placeholders(long.get(key) ?? ''), key).toEqual(placeholders(text));
      const words = text.replace(/\{\{\w+\}\}/g, '').trim();
      if (words.length > 20) expect((long.get(key) ?? '').length / text.length, key).toBeGreaterThan(1.25);
    }
  });
});
