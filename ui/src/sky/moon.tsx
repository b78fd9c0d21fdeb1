import clsx from 'clsx';
import { useId } from 'react';

/** The lit part of a waxing moon of radius 1, as a path: 0 is new, 1 is full. */
export function litPath(fraction: number): string {
  const lit = Math.min(1, Math.max(0, fraction));
  const terminator = Math.abs(1 - 2 * lit);
  const bulgesLeft = lit > 0.5 ? 1 : 0;
  return `M0-1A1 1 0 0 1 0 1A${terminator} 1 0 0 ${bulgesLeft} 0-1Z`;
}

export interface MoonProps {
  /** How much of it is lit, 0 to 1. */
  lit: number;
  /** What it is seen through: clear sky, sleep, or trouble. */
  mood: 'clear' | 'asleep' | 'trouble';
  className?: string;
}

/** The moon that waxes as a task progresses. */
export function Moon({ lit, mood, className }: MoonProps) {
  const id = useId();
  return (
    <svg viewBox="-1.5 -1.5 3 3" aria-hidden className={clsx('overflow-visible', className)}>
      <defs>
        <radialGradient id={`${id}glow`}>
          <stop offset="0.6" stopColor="var(--glow)" />
          <stop offset="1" stopColor="var(--glow)" stopOpacity="0" />
        </radialGradient>
        <clipPath id={`${id}lit`}>
          <path d={litPath(lit)} />
        </clipPath>
      </defs>
      {mood === 'clear' && <circle r="1.5" fill={`url(#${id}glow)`} opacity={0.25 + 0.75 * lit} />}
      <circle r="1" fill="var(--moon-dark)" opacity={mood === 'clear' ? 0.85 : 0.6} />
      {mood === 'trouble' && <circle r="1.02" fill="none" stroke="var(--ember)" strokeWidth="0.06" />}
      <g clipPath={`url(#${id}lit)`} opacity={mood === 'asleep' ? 0.55 : 1}>
        <circle r="1" fill="var(--moon-lit)" />
        <g fill="var(--moon-dark)" opacity="0.16">
          <circle cx="0.38" cy="-0.35" r="0.2" />
          <circle cx="0.52" cy="0.28" r="0.13" />
          <circle cx="-0.3" cy="0.12" r="0.26" />
          <circle cx="0.06" cy="0.58" r="0.15" />
          <circle cx="-0.42" cy="-0.46" r="0.12" />
          <circle cx="0.05" cy="-0.08" r="0.08" />
        </g>
      </g>
    </svg>
  );
}
