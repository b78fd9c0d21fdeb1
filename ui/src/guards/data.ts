import type { DataCaps } from '../bindings/DataCaps';
import type { DataDirection } from '../bindings/DataDirection';
import type { DataMoved } from '../bindings/DataMoved';

/** Bytes in a gigabyte, as providers count. */
export const GB = 1_000_000_000;

/** As `margin` in `crates/guards`: a cap counts as reached while so much of it is left, in bytes. */
export function dataMargin(direction: DataDirection): number {
  return direction === 'both' ? 200_000_000 : 100_000_000;
}

/** What a cap is about, in the order in which they are shown. */
export const dataDirections = ['sent', 'received', 'both'] as const satisfies readonly DataDirection[];

/** What of moved data counts for a cap; bytes. */
export function movedBytes({ sent_bytes: sent, received_bytes: received }: DataMoved, direction: DataDirection): number {
  switch (direction) {
    case 'sent':
      return sent;
    case 'received':
      return received;
    case 'both':
      return sent + received;
  }
}

/** The caps that are given, in bytes. */
export function givenCaps(caps: DataCaps): { direction: DataDirection; bytes: number }[] {
  return dataDirections.flatMap((direction) => {
    const gigabytes = caps[`${direction}_gb`];
    return gigabytes === null ? [] : [{ direction, bytes: gigabytes * GB }];
  });
}
