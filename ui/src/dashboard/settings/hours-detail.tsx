import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { WeekHours } from '../../bindings/WeekHours';
import { Button } from '../../components/button';
import { countHours, isEmpty, isSame, presetNames, presets } from '../../guards/hours';
import { HoursGrid } from './hours-grid';

interface HoursDetailProps {
  hours: WeekHours;
  onChange: (hours: WeekHours) => void;
}

/** The hours of the week that are lent. */
export function HoursDetail({ hours, onChange }: HoursDetailProps) {
  const { t } = useTranslation();
  // A week without an hour is refused, so that it stays here until one is chosen.
  const [draft, setDraft] = useState<WeekHours | null>(null);
  const shown = draft ?? hours;
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const take = (next: WeekHours) => {
    if (isEmpty(next)) {
      setDraft(next);
      return;
    }
    setDraft(null);
    onChange(next);
  };
  return (
    <div className="grid min-w-0 gap-3 pb-3">
      <div role="group" aria-label={t('hours.presets')} className="flex flex-wrap gap-2">
        {presetNames.map((name) => (
          <Button
            key={name}
            size="small"
            aria-pressed={isSame(shown, presets[name])}
            onClick={() => take(presets[name])}
            className="aria-pressed:border-moon aria-pressed:text-moon"
            data-testid={`hours-${name}`}
          >
            {t(`hours.preset.${name}`)}
          </Button>
        ))}
      </div>
      <HoursGrid hours={shown} onChange={take} />
      <div className="flex flex-wrap items-center gap-x-5 gap-y-1 text-sm text-muted">
        <Key look="bg-aurora" name={t('hours.lent')} />
        <Key look="border border-line-strong bg-sunken" name={t('hours.kept')} />
        <p>
          {t('hours.count', { count: countHours(shown) })} {t('hours.clock', { zone })}
        </p>
      </div>
      {draft && (
        <p role="alert" className="text-sm text-ember">
          {t('fault.no_hour_lent')}
        </p>
      )}
      <p className="text-sm text-pretty text-faint">{t('hours.how')}</p>
    </div>
  );
}

function Key({ look, name }: { look: string; name: string }) {
  return (
    <span className="flex items-center gap-2">
      <span aria-hidden className={`size-3.5 rounded-sm ${look}`} />
      {name}
    </span>
  );
}
