import { useTranslation } from 'react-i18next';

import type { PayoutStanding } from '../bindings/PayoutStanding';
import { usePractice } from '../components/money';
import { useNow } from '../components/use-now';
import { shortName } from '../format/chain';
import { formatMoney } from '../format/money';
import { formatMoment, formatUntil } from '../format/time';
import { useSnapshot } from './context';
import { nextName, presentWallet, type NextName } from './payouts';

/** When the next payout comes, or why none does and what would change it. */
export interface NextWords {
  name: NextName;
  title: string;
  why: string;
  /** The same in one line. */
  line: string;
}

/** The words for what comes next; they count down by themselves. `null` while the network has said nothing. */
export function useNextPayout(): NextWords | null {
  const { t, i18n } = useTranslation();
  const snapshot = useSnapshot();
  const practice = usePractice();
  const now = useNow(15_000);
  const standing = snapshot.payouts;
  if (!standing) return null;
  const name = nextName(standing.next);
  const wallet = presentWallet(snapshot);
  const inCurrency = (units: number) =>
    `${formatMoney(units, i18n.language)} ${practice ? t('money.practice_usdc') : t('money.usdc')}`;
  const end = endOf(standing);
  const told = {
    when: formatMoment(end, now, i18n.language),
    until: end > now ? formatUntil(end, now, i18n.language) : t('payouts.any_moment'),
    amount: inCurrency(amountOf(standing)),
    threshold: inCurrency(standing.threshold ?? 0),
    wallet: wallet === null ? '' : shortName(wallet),
  };
  return {
    name,
    title: t(`payouts.next.${name}.title`, told),
    why: t(`payouts.next.${name}.why`, told),
    line: t(`payouts.next.${name}.line`, told),
  };
}

function endOf({ next, epoch_ends_at: epochEnds }: PayoutStanding): number {
  return typeof next === 'object' && 'at_epoch' in next ? next.at_epoch.at : epochEnds;
}

/** What would arrive, or what is missing. */
function amountOf({ next }: PayoutStanding): number {
  if (typeof next === 'string') return 0;
  return 'at_epoch' in next ? next.at_epoch.amount : next.below_threshold.missing;
}
