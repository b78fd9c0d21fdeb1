import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';

import type { TariffBand } from '../src/bindings/TariffBand';
import { parseSignedMillionths, writeMillionths } from '../src/format/money';
import { ALL_DAYS, freeBand, holds, nextPrice, overlap, priceAt } from '../src/power/tariff';
import { renderDashboard, type RenderedApp } from './render-app';

const tariff = ({ backend }: RenderedApp) => backend.worker.settings.tariff;
const section = () => within(screen.getByRole('region', { name: 'Price of power' }));

async function renderSettings(): Promise<RenderedApp> {
  const app = await renderDashboard();
  await app.user.click(screen.getByTestId('nav-settings'));
  return app;
}

/** Takes what is in a field for another text. */
async function fill({ user }: RenderedApp, field: HTMLElement, text: string) {
  await user.clear(field);
  await user.type(field, `${text}{Enter}`);
}

const band = (days: number, from: number, to: number, micro_per_kwh = 1): TariffBand => ({
  days,
  from_minute: from * 60,
  to_minute: to * 60,
  micro_per_kwh,
});

describe('times with prices of their own', () => {
  it.each([
    // Monday's night, on Monday's evening and Tuesday's morning.
    [band(1, 22, 6), 0, 23, true],
    [band(1, 22, 6), 1, 5, true],
    [band(1, 22, 6), 0, 5, false],
    [band(1, 22, 6), 1, 6, false],
    // Sunday's night ends on Monday.
    [band(1 << 6, 22, 6), 0, 5, true],
    [band(ALL_DAYS, 0, 24), 3, 12, true],
  ])('%o on day %i at %i o’clock: %s', (of, day, hour, expected) => {
    expect(holds(of, day, hour * 60)).toBe(expected);
  });

  it('overlap where both hold at once', () => {
    expect(overlap(band(ALL_DAYS, 22, 6), band(ALL_DAYS, 6, 22))).toBe(false);
    expect(overlap(band(ALL_DAYS, 22, 6), band(ALL_DAYS, 5, 7))).toBe(true);
    expect(overlap(band(1 << 6, 22, 6), band(1, 1, 2))).toBe(true);
    expect(overlap(band(1 << 6, 22, 6), band(2, 1, 2))).toBe(false);
    expect(freeBand([band(ALL_DAYS, 22, 6), band(1, 6, 9)], 7)).toEqual(band(ALL_DAYS, 9, 10, 7));
  });

  it('say the price now and next', () => {
    const byTime = { kind: 'time_of_use', base_micro_per_kwh: 210, bands: [band(ALL_DAYS, 22, 6, 120)] } as const;
    const noon = new Date(2026, 11, 1, 12).getTime();
    expect(priceAt({ ...byTime, bands: [...byTime.bands] }, noon)).toBe(210);
    const night = new Date(2026, 11, 1, 22).getTime();
    expect(nextPrice({ ...byTime, bands: [...byTime.bands] }, noon)).toEqual({ at: night, micro_per_kwh: 120 });
  });
});

describe('prices below zero', () => {
  it.each([
    ['-0.05', -50_000],
    ['−0,05', -50_000],
    ['0.05', 50_000],
    ['-0', 0],
    ['--1', null],
    ['- much', null],
  ])('reads %s as %s', (text, expected) => {
    expect(parseSignedMillionths(text)).toBe(expected);
  });

  it('are written so that they can be read back', () => {
    for (const price of [-50_000, -1, 0, -1_250_000, 210_000]) expect(parseSignedMillionths(writeMillionths(price))).toBe(price);
  });
});

describe('the price of power', () => {
  it('is one price, or one for each time of day', async () => {
    const app = await renderSettings();
    await fill(app, section().getByLabelText('Your price of power'), '0.21');
    await waitFor(() => expect(tariff(app)).toEqual({ kind: 'flat', micro_per_kwh: 210_000 }));
    await app.user.click(section().getByRole('radio', { name: 'By time of day' }));
    await waitFor(() => expect(tariff(app).kind).toBe('time_of_use'));

    const first = within(section().getByTestId('band-1'));
    await fill(app, first.getByLabelText('Price'), '0.12');
    await app.user.click(first.getByRole('button', { name: 'Saturday' }));
    fireEvent.change(first.getByLabelText('To'), { target: { value: '05:30' } });
    const days = ALL_DAYS & ~(1 << 5);
    const night = { days, from_minute: 22 * 60, to_minute: 5 * 60 + 30, micro_per_kwh: 120_000 };
    await waitFor(() => expect(tariff(app)).toEqual({ kind: 'time_of_use', base_micro_per_kwh: 210_000, bands: [night] }));
    expect(first.getByText('Ends on the next day.')).toBeVisible();
    await app.pass(1);
    expect(section().getByTestId('price-now')).toHaveTextContent(/Now 0\.(21|12) USD per kWh\. From .* on 0\.(12|21)\./);

    // One more begins where none is, and ends at midnight as a day does.
    await app.user.click(section().getByTestId('band-add'));
    const second = within(await section().findByTestId('band-2'));
    fireEvent.change(second.getByLabelText('From'), { target: { value: '20:00' } });
    fireEvent.change(second.getByLabelText('To'), { target: { value: '00:00' } });
    expect(await section().findByTestId('tariff-fault')).toHaveAttribute('data-code', 'tariff_bands_overlap');
    expect(section().queryByTestId('price-now')).toBeNull();
    fireEvent.change(second.getByLabelText('To'), { target: { value: '22:00' } });
    await waitFor(() => expect(tariff(app)).toMatchObject({ bands: [night, { from_minute: 1200, to_minute: 1320 }] }));
    expect(section().queryByTestId('tariff-fault')).toBeNull();

    await app.user.click(section().getByRole('button', { name: 'Remove Time 1' }));
    await waitFor(() => expect(tariff(app)).toMatchObject({ bands: [{ from_minute: 1200, to_minute: 1320 }] }));
  });

  it('keeps a time without a day to itself until there is one', async () => {
    const app = await renderSettings();
    await app.user.click(section().getByRole('radio', { name: 'By time of day' }));
    await waitFor(() => expect(tariff(app).kind).toBe('time_of_use'));
    const days = within(section().getByTestId('band-1')).getByRole('group', { name: 'Days on which it begins' });
    for (const day of within(days).getAllByRole('button')) await app.user.click(day);
    expect(section().getByRole('alert')).toHaveTextContent('Choose a day');
    await waitFor(() => expect(tariff(app)).toMatchObject({ bands: [{ days: 1 << 6 }] }));
    await app.user.click(within(days).getByRole('button', { name: 'Monday' }));
    await waitFor(() => expect(tariff(app)).toMatchObject({ bands: [{ days: 1 }] }));
  });

  it('is asked of an address only once one was given, and one that is safe', async () => {
    const app = await renderSettings();
    await app.user.click(section().getByRole('radio', { name: 'From a list' }));
    expect(tariff(app).kind).toBe('flat');
    const address = section().getByLabelText('Address of the price list');
    await fill(app, address, 'http://prices.example/today.csv');
    expect(await section().findByTestId('tariff-fault')).toHaveAttribute('data-code', 'prices_not_secure');
    expect(tariff(app).kind).toBe('flat');
    await fill(app, address, 'https://prices.example/today.csv');
    await waitFor(() => expect(tariff(app)).toMatchObject({ source: { url: 'https://prices.example/today.csv' } }));
    await app.pass(1);
    expect(section().getByTestId('price-list-stand')).toHaveTextContent(/Read 7 min/);
    await app.user.click(within(section().getByTestId('price-made-of')).getByText('Taxes, fees, another currency'));
    await fill(app, section().getByLabelText('Multiplied by'), '0');
    expect(section().getByRole('alert')).toBeVisible();
    await fill(app, section().getByLabelText('Multiplied by'), '1.19');
    await fill(app, section().getByLabelText('And added'), '-0.01');
    await waitFor(() => expect(tariff(app)).toMatchObject({ factor_millionths: 1_190_000, added_micro_per_kwh: -10_000 }));
    await app.user.click(section().getByRole('radio', { name: 'File' }));
    await fill(app, section().getByLabelText('Path of the price list'), '/home/you/prices.csv');
    await waitFor(() => expect(tariff(app)).toMatchObject({ source: { from: 'file', path: '/home/you/prices.csv' } }));
  });

  it.each(['By time of day', 'From a list'])('can be used by everyone: %s', async (kind) => {
    const app = await renderSettings();
    await app.user.click(section().getByRole('radio', { name: kind }));
    const { violations } = await axe.run(screen.getByRole('region', { name: 'Price of power' }), {
      rules: { 'color-contrast': { enabled: false } },
    });
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  });
});
