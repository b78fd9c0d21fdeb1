import clsx from 'clsx';
import { useMemo, type ReactNode } from 'react';

/** Where the nth star stands, in percent; the same n is always the same star. */
function starAt(n: number): { x: number; y: number; size: number; delay: number } {
  // The fractional parts of multiples of irrational numbers spread evenly without ever lining up.
  const part = (irrational: number) => (n * irrational) % 1;
  return {
    x: 1 + 98 * part(0.754877666),
    y: 2 + 66 * part(0.569840296) ** 1.15,
    size: 0.6 + 0.7 * part(0.412454033),
    delay: -5 * part(0.819172513),
  };
}

/** Faint stars that are always there. */
const BACKDROP_STARS = 60;

/** More than this would be a fog; the number is said in words beside. */
const BRIGHT_STARS_MAX = 140;

interface SkyProps {
  /** Bright stars, one for each accepted task. */
  stars?: number;
  /** Dims the stars, as when the GPU is needed elsewhere. */
  dimmed?: boolean;
  className?: string;
  children: ReactNode;
}

/** Night over two ranges of hills; by day, the morning after. */
export function Sky({ stars = 0, dimmed = false, className, children }: SkyProps) {
  const bright = Math.min(stars, BRIGHT_STARS_MAX);
  const backdrop = useMemo(() => Array.from({ length: BACKDROP_STARS }, (_, n) => starAt(n + 501)), []);
  return (
    <div
      className={clsx(
        'relative isolate overflow-hidden bg-[linear-gradient(180deg,var(--sky-top),var(--sky-middle)_55%,var(--sky-low))] text-on-sky',
        className,
      )}
    >
      <svg
        aria-hidden
        className={clsx(
          'absolute inset-0 -z-10 size-full transition-opacity duration-1000 day:opacity-70',
          dimmed && 'opacity-40',
        )}
      >
        {backdrop.map((star, n) => (
          <circle key={n} cx={`${star.x}%`} cy={`${star.y}%`} r={star.size * 0.7} fill="var(--star)" opacity="0.4" />
        ))}
        {Array.from({ length: bright }, (_, n) => {
          const star = starAt(n + 1);
          return (
            <circle
              key={n}
              cx={`${star.x}%`}
              cy={`${star.y}%`}
              r={star.size + 0.7}
              fill="var(--moon-lit)"
              className={n % 3 === 0 ? 'animate-twinkle' : undefined}
              style={n % 3 === 0 ? { animationDelay: `${star.delay}s` } : undefined}
            />
          );
        })}
      </svg>
      <svg
        aria-hidden
        viewBox="0 0 1200 160"
        preserveAspectRatio="none"
        className="absolute inset-x-0 bottom-0 -z-10 h-[34%] w-full"
      >
        <path
          fill="var(--hill-far)"
          d="M0 92C90 60 150 84 240 58s150-44 250-8 150 46 240 22 170-66 270-44 130 34 200 18V160H0Z"
        />
        <path
          fill="var(--hill-near)"
          d="M0 130c120-34 190-10 300-22s170 24 290 16 170-50 290-36 200 44 320 14V160H0Z"
        />
      </svg>
      {children}
    </div>
  );
}
