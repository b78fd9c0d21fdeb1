import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import type { PriceSource } from '../../bindings/PriceSource';
import type { Tariff } from '../../bindings/Tariff';
import { Disclosure } from '../../components/disclosure';
import { Segmented } from '../../components/segmented';
import { TextField } from '../../components/text-field';
import { useNow } from '../../components/use-now';
import { formatAgo, formatComing } from '../../format/time';
import { useFaultSentence } from '../../i18n/use-fault';
import { PriceField } from '../../power/price-field';
import { FACTOR_ONE } from '../../power/tariff';
import { useSnapshot } from '../../worker/context';

type Listed = Tariff & { kind: 'listed' };

interface PriceListEditorProps {
  tariff: Listed;
  /** Whether the worker does not go by it yet. */
  isDraft: boolean;
  onChange: (tariff: Listed) => void;
}

/** Where a list of prices is, what is made of its prices, and how it stands. */
export function PriceListEditor({ tariff, isDraft, onChange }: PriceListEditorProps) {
  const { t } = useTranslation();
  const { source } = tariff;
  const froms = (['url', 'file'] as const).map((value) => ({ value, label: t(`tariff.source.${value}`) }));
  const isPlain = tariff.factor_millionths === FACTOR_ONE && tariff.added_micro_per_kwh === 0;
  return (
    <div className="grid min-w-0 gap-4">
      <Segmented
        label={t('tariff.sources')}
        value={source.from}
        options={froms}
        onChange={(from) => onChange({ ...tariff, source: sourceAt(from, '') })}
        className="w-fit"
      />
      {/* Another field for another sort of place: what was typed for one is none of the other. */}
      <PlaceField key={source.from} source={source} onCommit={(next) => onChange({ ...tariff, source: next })} />
      <PriceField
        label={t('tariff.fallback')}
        value={tariff.fallback_micro_per_kwh}
        onCommit={(fallback_micro_per_kwh) => onChange({ ...tariff, fallback_micro_per_kwh })}
      />
      {!isDraft && <ListStand />}
      <Disclosure level={3} title={t('tariff.made_of')} opened={!isPlain} testId="price-made-of" className="-mx-3">
        {() => (
          <div className="flex flex-wrap gap-x-6 gap-y-3 px-3 pb-2">
            <PriceField
              label={t('tariff.factor')}
              unit="×"
              value={tariff.factor_millionths}
              isPossible={(factor) => factor > 0}
              onCommit={(factor_millionths) => onChange({ ...tariff, factor_millionths })}
            />
            <PriceField
              label={t('tariff.added')}
              value={tariff.added_micro_per_kwh}
              onCommit={(added_micro_per_kwh) => onChange({ ...tariff, added_micro_per_kwh })}
            />
            <p className="text-sm text-pretty text-muted">{t('tariff.made_of_why')}</p>
          </div>
        )}
      </Disclosure>
      <div className="grid gap-1.5 text-sm text-pretty text-faint">
        <p>{source.from === 'url' ? t('tariff.asks') : t('tariff.reads')}</p>
        <p>{t('tariff.format')}</p>
        <pre className="overflow-x-auto rounded-xl bg-sunken p-3 font-mono text-xs text-muted">{EXAMPLE}</pre>
      </div>
    </div>
  );
}

const EXAMPLE = 'start,price\n2026-01-15T13:00:00+01:00,0.2134\n2026-01-15T14:00:00+01:00,-0.0071';

function sourceAt(from: PriceSource['from'], place: string): PriceSource {
  return from === 'url' ? { from, url: place } : { from, path: place };
}

function PlaceField({ source, onCommit }: { source: PriceSource; onCommit: (source: PriceSource) => void }) {
  const { t } = useTranslation();
  const place = source.from === 'url' ? source.url : source.path;
  const [typed, setTyped] = useState<string | null>(null);
  const commit = () => {
    if (typed === null) return;
    const next = typed.trim();
    setTyped(null);
    if (next !== '' && next !== place) onCommit(sourceAt(source.from, next));
  };
  return (
    <TextField
      label={t(`tariff.place.${source.from}`)}
      value={typed ?? place}
      onChange={setTyped}
      onCommit={commit}
      placeholder={t(`tariff.place_example.${source.from}`)}
      monospace
    />
  );
}

/** When the list was read, how far it reaches, and what is wrong with it. */
function ListStand() {
  const { t, i18n } = useTranslation();
  const sentence = useFaultSentence();
  const { list } = useSnapshot().power_price;
  const now = useNow(10_000);
  if (!list) return null;
  const { read_at: readAt, until, fault } = list;
  return (
    <div className="grid gap-1 text-sm" role="status" data-testid="price-list-stand">
      {readAt === null ? (
        !fault && <p className="text-muted">{t('tariff.not_read_yet')}</p>
      ) : (
        <p className="text-muted">
          {t('tariff.read', { when: formatAgo(readAt, now, i18n.language) })}{' '}
          {until !== null && until > now
            ? t('tariff.reaches', { time: formatComing(until, now, i18n.language) })
            : t('tariff.ran_out')}
        </p>
      )}
      {fault && (
        <p className="text-ember">
          {sentence(fault)} {t('tariff.last_counts')}
        </p>
      )}
    </div>
  );
}
