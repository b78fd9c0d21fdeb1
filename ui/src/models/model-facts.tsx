import { ArrowDownToLine, HardDrive, MemoryStick, MessagesSquare, ShieldCheck, Zap } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import { useSnapshot } from '../worker/context';

const facts = [
  ['does', MessagesSquare],
  ['energy', Zap],
  ['data', ArrowDownToLine],
  ['memory', MemoryStick],
  ['disk', HardDrive],
  ['never', ShieldCheck],
] as const;

/** What serving language models takes and can never do, before somebody says yes to it. */
export function ModelFacts() {
  const { t } = useTranslation();
  const { sandbox } = useSnapshot();
  const missing = sandbox.filter((part) => !part.holds).map((part) => part.words);
  return (
    <dl className="grid gap-3.5 text-sm" data-testid="model-facts">
      {facts.map(([name, Mark]) => (
        <div key={name} className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3">
          <dt className="contents font-medium">
            <Mark
              aria-hidden
              strokeWidth={1.75}
              className={`mt-0.5 size-4 ${name === 'never' ? 'text-aurora' : 'text-faint'}`}
            />
            <span className="font-medium">{t(`models.${name}`)}</span>
          </dt>
          <dd className="col-start-2 text-pretty text-muted">
            {t(`models.${name}_what`)}
            {name === 'never' && missing.length > 0 && (
              <span className="mt-1 block text-ember" data-testid="models-unenforced">
                {t('models.unenforced', { parts: missing.join('; ') })}
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
