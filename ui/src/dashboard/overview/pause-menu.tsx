import { DropdownMenu } from 'radix-ui';
import type { ReactElement } from 'react';
import { useTranslation } from 'react-i18next';

import type { Command } from '../../bindings/Command';
import type { PauseFor } from '../../bindings/PauseFor';

const durations = [
  { name: 'hour', duration: { minutes: 60 } },
  { name: 'restart', duration: 'until_restart' },
  { name: 'resumed', duration: 'until_resumed' },
] as const satisfies readonly { name: string; duration: PauseFor }[];

interface PauseMenuProps {
  /** Which device; `null` for all, which can be stopped too. */
  device: number | null;
  /** The button that opens it. */
  children: ReactElement;
  onChoose: (command: Command) => void;
}

/** For how long to pause. */
export function PauseMenu({ device, children, onChoose }: PauseMenuProps) {
  const { t } = useTranslation();
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{children}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="start"
          sideOffset={6}
          collisionPadding={12}
          className="z-40 min-w-48 animate-arrive rounded-2xl border border-line-strong bg-raised p-1.5 shadow-card"
        >
          {durations.map(({ name, duration }) => (
            <PauseItem
              key={name}
              label={t(`control.pause_${name}`)}
              testId={`pause-${name}`}
              onSelect={() => onChoose({ command: 'pause', duration, device })}
            />
          ))}
          {device === null && (
            <>
              <DropdownMenu.Separator className="my-1 h-px bg-line" />
              <PauseItem label={t('control.stop')} testId="stop" onSelect={() => onChoose({ command: 'stop' })} />
            </>
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function PauseItem({ label, testId, onSelect }: { label: string; testId: string; onSelect: () => void }) {
  return (
    <DropdownMenu.Item
      onSelect={onSelect}
      data-testid={testId}
      className="rounded-xl px-3 py-2 text-sm outline-none data-highlighted:bg-line"
    >
      {label}
    </DropdownMenu.Item>
  );
}
