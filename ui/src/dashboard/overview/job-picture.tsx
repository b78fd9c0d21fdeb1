import { EyeOff, ImageIcon, type LucideIcon } from 'lucide-react';
import { useTranslation } from 'react-i18next';

import type { PictureTile } from '../../bindings/PictureTile';

/** A job's picture and the tiles of it that are being rendered now. */
export interface PicturedJob {
  title: string;
  customer: string;
  tile: PictureTile;
  /** Address for `<img>`; `undefined` before the first tile is there. */
  source: string | undefined;
  /** How much of the job was accepted here, 0 to 1. */
  share: number;
  rendering: { tile: PictureTile; fraction: number }[];
}

const percent = (part: number, whole: number) => `${(part / whole) * 100}%`;

/** In place of a picture while a model is served: why there is nothing to see. */
export function ServedUnseen() {
  const { t } = useTranslation();
  return <NoPicture mark={EyeOff} title={t('shift.unseen')} why={t('shift.unseen_why')} />;
}

/** The frame that a picture would fill. */
function NoPicture({ mark: Mark, title, why }: { mark: LucideIcon; title: string; why: string }) {
  return (
    <div className="grid aspect-[3/2] w-full place-items-center rounded-2xl border border-dashed border-(--on-sky)/30 bg-(--sky-top)/30 p-6 text-center">
      <div className="grid justify-items-center gap-2">
        <Mark aria-hidden className="size-7 text-on-sky-muted" strokeWidth={1.5} />
        <p className="font-display text-lg font-medium">{title}</p>
        <p className="max-w-xs text-sm text-on-sky-muted">{why}</p>
      </div>
    </div>
  );
}

/** The picture that this machine is drawing, appearing tile by tile. */
export function JobPicture({ job }: { job: PicturedJob | null }) {
  const { t } = useTranslation();
  if (!job) {
    return <NoPicture mark={ImageIcon} title={t('overview.picture_empty')} why={t('overview.picture_empty_why')} />;
  }
  const { picture_width: width, picture_height: height } = job.tile;
  return (
    <figure
      className="relative w-full overflow-hidden rounded-2xl bg-[#0a1022] shadow-[0_24px_60px_-24px_rgb(0_0_0/0.7)] ring-1 ring-[rgb(255_255_255/0.14)]"
      style={{ aspectRatio: `${width} / ${height}` }}
    >
      {/* The grid of tiles that are still to come. */}
      <div
        aria-hidden
        className="absolute inset-0 opacity-60"
        style={{
          backgroundImage:
            'linear-gradient(to right, rgb(255 255 255 / 0.09) 1px, transparent 1px), linear-gradient(to bottom, rgb(255 255 255 / 0.09) 1px, transparent 1px)',
          backgroundSize: `${percent(job.tile.width, width)} ${percent(job.tile.height, height)}`,
        }}
      />
      {job.source ? (
        <img
          src={job.source}
          alt={t('overview.picture_alt', { job: job.title })}
          data-testid="task-picture"
          className="absolute inset-0 size-full object-contain"
        />
      ) : (
        <p className="absolute inset-0 grid place-items-center px-6 pb-10 text-center text-sm text-[#b9c3dd]">
          {t('overview.picture_soon')}
        </p>
      )}
      {job.rendering.map(({ tile, fraction }) => (
        <div
          key={`${tile.x} ${tile.y}`}
          aria-hidden
          className="absolute overflow-hidden rounded-[3px] shadow-[0_0_24px_rgb(247_233_192/0.35)] ring-2 ring-[#f7e9c0]"
          style={{
            left: percent(tile.x, width),
            top: percent(tile.y, height),
            width: percent(tile.width, width),
            height: percent(tile.height, height),
          }}
        >
          <div
            className="animate-breathe bg-[#f7e9c0]/30 transition-[height] duration-300 ease-linear"
            style={{ height: percent(fraction, 1) }}
          />
        </div>
      ))}
    </figure>
  );
}
