import clsx from 'clsx';
import { useMemo, type ReactNode } from 'react';

interface Star {
  x: number;
  y: number;
  size: number;
  brightness: number;
  delay: number;
}

/** Where the nth star stands, in percent; the same n is always the same star. */
function starAt(n: number): Star {
  // An integer hash: regular spacings would look woven.
  const part = (salt: number) => {
    let mixed = Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(salt, 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
  // Most stars are small and dim, a few are neither.
  const magnitude = part(3) ** 3;
  return {
    x: 1 + 98 * part(1),
    y: 2 + 62 * part(2),
    size: 0.7 + 1.1 * magnitude,
    brightness: 0.45 + 0.55 * magnitude,
    delay: -5 * part(4),
  };
}

/** Faint stars that are always there. */
const BACKDROP_STARS = 70;

/** More than this would be a fog; the number is said in words beside. */
const BRIGHT_STARS_MAX = 140;

interface SkyProps {
  /** Bright stars, one for each accepted task. */
  stars?: number;
  /** Dims the stars, as when the GPU is needed elsewhere. */
  dimmed?: boolean;
  /** The element that it is; a `header` is a landmark. */
  as?: 'div' | 'header';
  className?: string;
  children: ReactNode;
}

/** Night over two ranges of hills; by day, the morning after. */
export function Sky({ stars = 0, dimmed = false, as: Element = 'div', className, children }: SkyProps) {
  const bright = Math.min(stars, BRIGHT_STARS_MAX);
  const backdrop = useMemo(() => Array.from({ length: BACKDROP_STARS }, (_, n) => starAt(n + 501)), []);
  return (
    <Element
      className={clsx(
        'relative isolate overflow-hidden bg-[linear-gradient(180deg,var(--sky-top),var(--sky-middle)_55%,var(--sky-low))] text-on-sky',
        className,
      )}
    >
      <svg
        aria-hidden
        className={clsx(
          // Stars pale towards the horizon, where the words are.
          'absolute inset-0 -z-10 size-full [mask-image:linear-gradient(to_bottom,black_20%,transparent_var(--star-reach,17rem))] transition-opacity duration-1000 day:opacity-80',
          dimmed && 'opacity-40',
        )}
      >
        {backdrop.map((star, n) => (
          <circle key={n} cx={`${star.x}%`} cy={`${star.y}%`} r={star.size * 0.7} fill="var(--star)" opacity={star.brightness * 0.55} />
        ))}
        {Array.from({ length: bright }, (_, n) => {
          const star = starAt(n + 1);
          return (
            <circle
              key={n}
              cx={`${star.x}%`}
              cy={`${star.y}%`}
              r={star.size + 0.3}
              fill="var(--moon-lit)"
              opacity={star.brightness}
              className={n % 3 === 0 ? 'animate-twinkle' : undefined}
              style={n % 3 === 0 ? { animationDelay: `${star.delay}s` } : undefined}
            />
          );
        })}
      </svg>
      <svg
        aria-hidden
        viewBox="0 0 1200 160"
        // Cut rather than squeezed: hills that are narrowed turn into spikes.
        preserveAspectRatio="xMidYMax slice"
        className="absolute inset-x-0 bottom-0 -z-10 h-32 w-full sm:h-40"
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
    </Element>
  );
}
