import { useState, type SyntheticEvent } from 'react';
import { useTranslation } from 'react-i18next';

import type { ChainPlace } from '../../bindings/ChainPlace';
import { Button } from '../../components/button';
import { TextField } from '../../components/text-field';
import { hostOf } from '../../format/chain';
import { useFaultSentence } from '../../i18n/use-fault';
import { useBackend, useSnapshot } from '../../worker/context';
import { configure } from '../../worker/settings';
import { useDeed } from '../../worker/use-answer';

/** Whose word a check rests on, and the way to choose somebody else's. */
export function EndpointChoice({ place }: { place: ChainPlace }) {
  const { t } = useTranslation();
  const backend = useBackend();
  const own = useSnapshot().settings.chain_endpoint;
  const sentence = useFaultSentence();
  const deed = useDeed();
  const [typed, setTyped] = useState<string | null>(null);
  const set = (endpoint: string) =>
    void deed.run(() => configure(backend, { chain_endpoint: endpoint })).then((done) => {
      if (done) setTyped(null);
    });
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (typed?.trim()) set(typed.trim());
  };
  const asked = own ?? place.endpoint;
  return (
    <form onSubmit={submit} className="grid gap-3 border-t border-line pt-5" data-testid="endpoint-choice">
      <div className="text-sm">
        <p className="font-medium">{t('payouts.endpoint.title')}</p>
        <p className="text-muted">
          {asked === null ? (
            t('payouts.endpoint.none')
          ) : (
            <>
              <span className="font-mono text-xs break-all text-ink" title={asked}>
                {hostOf(asked)}
              </span>{' '}
              {own === null ? t('payouts.endpoint.networks') : t('payouts.endpoint.own')}
            </>
          )}
        </p>
      </div>
      {typed === null ? (
        <div className="flex flex-wrap gap-2.5">
          <Button size="small" onClick={() => setTyped(own ?? '')}>
            {own === null ? t('payouts.endpoint.choose') : t('settings.wallet_change')}
          </Button>
          {own !== null && (
            <Button look="plain" size="small" disabled={deed.busy} onClick={() => set('')}>
              {t('payouts.endpoint.reset')}
            </Button>
          )}
        </div>
      ) : (
        <>
          <TextField
            label={t('payouts.endpoint.label')}
            value={typed}
            onChange={(text) => {
              setTyped(text);
              deed.clear();
            }}
            placeholder="https://"
            monospace
            wrong={deed.fault && sentence(deed.fault)}
          />
          <p className="text-sm text-muted">{t('payouts.endpoint.why')}</p>
          <div className="flex flex-wrap gap-2.5">
            <Button type="submit" look="primary" size="small" disabled={deed.busy || typed.trim() === ''}>
              {t('common.save')}
            </Button>
            <Button
              look="plain"
              size="small"
              onClick={() => {
                setTyped(null);
                deed.clear();
              }}
            >
              {t('common.cancel')}
            </Button>
          </div>
        </>
      )}
    </form>
  );
}
