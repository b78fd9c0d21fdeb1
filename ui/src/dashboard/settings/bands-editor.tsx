import { Plus, Trash2 } from 'lucide-react';
import { useId } from 'react';
import { useTranslation } from 'react-i18next';

import type { Tariff } from '../../bindings/Tariff';
import type { TariffBand } from '../../bindings/TariffBand';
import { Button } from '../../components/button';
import { PriceField } from '../../power/price-field';
import { BANDS_MAX, DAY_MINUTES, DAYS, freeBand, parseTime, writeTime } from '../../power/tariff';

type TimeOfUse = Tariff & { kind: 'time_of_use' };

interface BandsEditorProps {
  tariff: TimeOfUse;
  onChange: (tariff: TimeOfUse) => void;
}

/** Times of the week that have prices of their own. */
export function BandsEditor({ tariff, onChange }: BandsEditorProps) {
  const { t } = useTranslation();
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const { bands } = tariff;
  const take = (changed: TariffBand[]) => onChange({ ...tariff, bands: changed });
  return (
    <div className="grid min-w-0 gap-4">
      <ul className="grid gap-4">
        {bands.map((band, index) => (
          // A band is what stands at its place in the list.
          <li key={index}>
            <Band
              number={index + 1}
              band={band}
              onChange={(changed) => take(bands.map((other, at) => (at === index ? changed : other)))}
              onRemove={() => take(bands.filter((_, at) => at !== index))}
            />
          </li>
        ))}
      </ul>
      <Button
        size="small"
        onClick={() => take([...bands, freeBand(bands, tariff.base_micro_per_kwh)])}
        disabled={bands.length >= BANDS_MAX}
        className="w-fit"
        data-testid="band-add"
      >
        <Plus aria-hidden className="size-4" />
        {t('tariff.band_add')}
      </Button>
      <PriceField
        label={bands.length > 0 ? t('tariff.base') : t('tariff.flat')}
        value={tariff.base_micro_per_kwh}
        onCommit={(base_micro_per_kwh) => onChange({ ...tariff, base_micro_per_kwh })}
      />
      <p className="text-sm text-pretty text-faint">{t('tariff.bands_how', { zone })}</p>
    </div>
  );
}

interface BandProps {
  number: number;
  band: TariffBand;
  onChange: (band: TariffBand) => void;
  onRemove: () => void;
}

function Band({ number, band, onChange, onRemove }: BandProps) {
  const { t } = useTranslation();
  const name = t('tariff.band', { number });
  const wrong =
    band.days === 0
      ? t('tariff.band_no_day')
      : band.from_minute === band.to_minute
        ? t('tariff.band_no_time')
        : null;
  return (
    <div role="group" aria-label={name} className="grid min-w-0 gap-3 rounded-2xl border border-line p-3.5" data-testid={`band-${number}`}>
      <div className="flex items-start justify-between gap-2">
        <DayChoice days={band.days} onChange={(days) => onChange({ ...band, days })} />
        <Button look="plain" size="small" onClick={onRemove} aria-label={t('tariff.band_remove', { name })} className="shrink-0 px-2!">
          <Trash2 aria-hidden className="size-4" />
        </Button>
      </div>
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3">
        <TimeField label={t('tariff.from')} minute={band.from_minute} onChange={(from_minute) => onChange({ ...band, from_minute })} />
        <TimeField
          label={t('tariff.to')}
          minute={band.to_minute}
          // A day that ends at midnight ends with its own last minute.
          onChange={(minute) => onChange({ ...band, to_minute: minute === 0 ? DAY_MINUTES : minute })}
        />
        <PriceField
          label={t('tariff.price')}
          value={band.micro_per_kwh}
          onCommit={(micro_per_kwh) => onChange({ ...band, micro_per_kwh })}
        />
      </div>
      {wrong && (
        <p role="alert" className="text-sm text-ember">
          {wrong}
        </p>
      )}
      {!wrong && band.to_minute < band.from_minute && <p className="text-sm text-faint">{t('tariff.next_day')}</p>}
    </div>
  );
}

/** Any Monday. */
const MONDAY = Date.UTC(2024, 0, 1);

function DayChoice({ days, onChange }: { days: number; onChange: (days: number) => void }) {
  const { t, i18n } = useTranslation();
  const written = (day: number, weekday: 'long' | 'short') =>
    new Intl.DateTimeFormat(i18n.language, { weekday, timeZone: 'UTC' }).format(MONDAY + day * 86_400_000);
  return (
    <div role="group" aria-label={t('tariff.days')} className="flex flex-wrap gap-1">
      {Array.from({ length: DAYS }, (_, day) => (
        <button
          key={day}
          type="button"
          aria-label={written(day, 'long')}
          aria-pressed={((days >> day) & 1) === 1}
          onClick={() => onChange(days ^ (1 << day))}
          className="min-h-8 min-w-9 rounded-lg border border-line px-1.5 text-xs text-muted transition-colors hover:border-line-strong aria-pressed:border-moon aria-pressed:bg-raised aria-pressed:text-ink"
        >
          {written(day, 'short')}
        </button>
      ))}
    </div>
  );
}

function TimeField({ label, minute, onChange }: { label: string; minute: number; onChange: (minute: number) => void }) {
  const id = useId();
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        type="time"
        value={writeTime(minute)}
        onChange={(event) => {
          const parsed = parseTime(event.target.value);
          if (parsed !== null) onChange(parsed);
        }}
        className="figures min-h-10 rounded-xl border border-line-strong bg-sunken px-3"
      />
    </div>
  );
}
