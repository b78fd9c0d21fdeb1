#!/usr/bin/env node
// Draws the icon sets from the SVG sources into icons/generated. Needs `rsvg-convert` (Debian: librsvg2-bin).
// The sets are committed, so that a build needs neither this script nor librsvg; run it after changing a source.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, 'generated');
mkdirSync(out, { recursive: true });

/** The picture of `source` as a square PNG. */
function draw(source, pixels) {
  const size = String(pixels);
  return execFileSync('rsvg-convert', ['--width', size, '--height', size, join(here, source)], {
    maxBuffer: 64 * 1024 * 1024,
  });
}

// Up to this size the fan's blades and the stars are only noise.
const SMALL_PIXELS_MAX = 48;
const drawApp = (pixels) => draw(pixels <= SMALL_PIXELS_MAX ? 'app-small.svg' : 'app.svg', pixels);
const save = (name, bytes) => writeFileSync(join(out, name), bytes);

/** An .ico of PNG entries: header, directory, pictures. Windows has read PNG entries since Vista. */
function ico(pictures) {
  const header = Buffer.alloc(6 + 16 * pictures.length);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(pictures.length, 4);
  let offset = header.length;
  pictures.forEach(({ pixels, png }, index) => {
    const entry = 6 + 16 * index;
    // A size of 256 is written as 0.
    header.writeUInt8(pixels % 256, entry);
    header.writeUInt8(pixels % 256, entry + 1);
    header.writeUInt16LE(1, entry + 4);
    header.writeUInt16LE(32, entry + 6);
    header.writeUInt32LE(png.length, entry + 8);
    header.writeUInt32LE(offset, entry + 12);
    offset += png.length;
  });
  return Buffer.concat([header, ...pictures.map(({ png }) => png)]);
}

/** An .icns of PNG entries: a type of four letters and a big-endian length before each picture. */
function icns(entries) {
  const blocks = entries.map(({ type, png }) => {
    const head = Buffer.alloc(8);
    head.write(type, 'latin1');
    head.writeUInt32BE(8 + png.length, 4);
    return Buffer.concat([head, png]);
  });
  const head = Buffer.alloc(8);
  head.write('icns', 'latin1');
  head.writeUInt32BE(8 + blocks.reduce((sum, block) => sum + block.length, 0), 4);
  return Buffer.concat([head, ...blocks]);
}

for (const pixels of [32, 64, 128, 256, 512]) save(`${pixels}x${pixels}.png`, drawApp(pixels));
// The first entry is the one that tauri shows in a title bar while developing.
const windows = [32, 16, 24, 48, 64, 256];
save('icon.ico', ico(windows.map((pixels) => ({ pixels, png: drawApp(pixels) }))));
// ic11 to ic14 are the same sizes at twice the density.
const mac = [
  ['ic11', 32], ['ic12', 64], ['ic07', 128], ['ic13', 256], ['ic08', 256], ['ic14', 512], ['ic09', 512], ['ic10', 1024],
];
save('icon.icns', icns(mac.map(([type, pixels]) => ({ type, png: drawApp(pixels) }))));
// 64 pixels serve panels of 22 to 32 at twice the density.
for (const state of ['earning', 'ready', 'paused', 'problem']) save(`tray-${state}.png`, draw(`tray-${state}.svg`, 64));
