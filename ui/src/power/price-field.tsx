import { useState } from 'react';
import { useTranslation } from 'react-i18next';

import { TextField } from '../components/text-field';
import { parseSignedMillionths, writeMillionths } from '../format/money';

interface PriceFieldProps {
  label: string;
  /** Millionths. */
  value: number;
  onCommit: (millionths: number) => void;
  /** Shown behind it; the unit of a price unless another is given. */
  unit?: string;
  /** Why it was refused. */
  wrong?: string | null;
  /** Whether it can be taken; any can unless it is said. */
  isPossible?: (millionths: number) => boolean;
}

/** A price of power, which may be below zero; taken over when the field is left or on Enter. */
export function PriceField({ label, value, onCommit, unit, wrong, isPossible = () => true }: PriceFieldProps) {
  const { t } = useTranslation();
  // `null` while nobody types: then the price that holds is shown.
  const [typed, setTyped] = useState<string | null>(null);
  const parsed = typed === null ? value : parseSignedMillionths(typed);
  const possible = parsed !== null && isPossible(parsed);
  const commit = () => {
    if (typed === null || !possible) return;
    setTyped(null);
    if (parsed !== value) onCommit(parsed);
  };
  return (
    <TextField
      label={label}
      value={typed ?? writeMillionths(value)}
      onChange={setTyped}
      onCommit={commit}
      unit={unit ?? t('tariff.unit')}
      inputMode="decimal"
      wrong={possible ? wrong : t('tariff.price_wrong')}
    />
  );
}
