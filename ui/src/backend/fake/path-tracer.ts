import type { PictureTile } from '../../bindings/PictureTile';
import { seededRandom, type Random } from './random';

type Vec = [number, number, number];
const add = (a: Vec, b: Vec): Vec => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const sub = (a: Vec, b: Vec): Vec => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const scale = (a: Vec, s: number): Vec => [a[0] * s, a[1] * s, a[2] * s];
const mul = (a: Vec, b: Vec): Vec => [a[0] * b[0], a[1] * b[1], a[2] * b[2]];
const dot = (a: Vec, b: Vec): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (a: Vec): Vec => scale(a, 1 / Math.sqrt(dot(a, a)));

interface Sphere {
  centre: Vec;
  radius: number;
  colour: Vec;
  glow: number;
  /** 0 scatters, 1 mirrors. */
  gloss: number;
}

/** The scene of a job: lanterns and stones on a still lake at dusk. */
function lakeScene(seed: number): Sphere[] {
  const random = seededRandom(seed);
  const spheres: Sphere[] = [
    { centre: [-0.35, 1, 0.4], radius: 1, colour: [0.93, 0.94, 1], glow: 0, gloss: 1 },
    { centre: [1.75, 0.62, -0.3], radius: 0.62, colour: [0.95, 0.42, 0.28], glow: 0, gloss: 0.06 },
    { centre: [-2.15, 0.7, -0.5], radius: 0.7, colour: [0.2, 0.55, 0.66], glow: 0, gloss: 0.12 },
  ];
  const colours: Vec[] = [
    [1, 0.78, 0.42],
    [1, 0.6, 0.38],
    [0.6, 0.72, 1],
    [0.66, 0.9, 0.8],
  ];
  for (let tries = 0; spheres.length < 19 && tries < 400; tries += 1) {
    const radius = 0.14 + random() * 0.2;
    const centre: Vec = [random() * 7.4 - 3.7, radius, random() * 5.4 - 3.4];
    const apart = spheres.every((s) => Math.sqrt(dot(sub(s.centre, centre), sub(s.centre, centre))) > s.radius + radius);
    if (!apart) continue;
    const colour = colours[Math.floor(random() * colours.length)] ?? [1, 1, 1];
    const lit = random() < 0.5;
    spheres.push({ centre, radius, colour, glow: lit ? 2.1 : 0, gloss: lit ? 0 : random() < 0.3 ? 0.9 : 0.05 });
  }
  return spheres;
}

function sky(direction: Vec): Vec {
  const height = Math.max(0, direction[1]);
  const dusk: Vec = [1.05, 0.56, 0.4];
  const violet: Vec = [0.3, 0.27, 0.52];
  const night: Vec = [0.035, 0.06, 0.17];
  const low = Math.min(1, height / 0.16);
  const high = Math.min(1, Math.max(0, (height - 0.1) / 0.5));
  const band = add(scale(dusk, 1 - low), scale(violet, low));
  return add(scale(band, 1 - high), scale(night, high));
}

function hit(spheres: Sphere[], origin: Vec, direction: Vec): { distance: number; sphere: Sphere | null } {
  let distance = direction[1] < -1e-4 ? -origin[1] / direction[1] : Infinity;
  if (distance < 1e-3) distance = Infinity;
  let found: Sphere | null = null;
  for (const sphere of spheres) {
    const toCentre = sub(sphere.centre, origin);
    const along = dot(toCentre, direction);
    const inside = sphere.radius ** 2 - (dot(toCentre, toCentre) - along * along);
    if (inside <= 0) continue;
    const near = along - Math.sqrt(inside);
    if (near > 1e-3 && near < distance) {
      distance = near;
      found = sphere;
    }
  }
  return { distance, sphere: found };
}

function scattered(normal: Vec, random: Random): Vec {
  const z = 2 * random() - 1;
  const angle = 2 * Math.PI * random();
  const flat = Math.sqrt(1 - z * z);
  return unit(add(normal, [flat * Math.cos(angle) * 0.999, flat * Math.sin(angle) * 0.999, z * 0.999]));
}

function radiance(spheres: Sphere[], from: Vec, towards: Vec, random: Random): Vec {
  let carried: Vec = [1, 1, 1];
  let origin = from;
  let direction = towards;
  for (let bounce = 0; bounce < 5; bounce += 1) {
    const { distance, sphere } = hit(spheres, origin, direction);
    if (distance === Infinity) return mul(carried, sky(direction));
    const point = add(origin, scale(direction, distance));
    const normal: Vec = sphere ? scale(sub(point, sphere.centre), 1 / sphere.radius) : [0, 1, 0];
    if (sphere?.glow) {
      // A paper lantern is brightest where one looks straight at it.
      const straight = Math.max(0, -dot(normal, direction));
      return mul(carried, scale(sphere.colour, sphere.glow * (0.22 + 0.78 * straight ** 1.5)));
    }
    const colour: Vec = sphere?.colour ?? [0.32, 0.36, 0.48];
    // Water mirrors more the flatter one looks at it (Schlick's approximation).
    const facing = Math.max(0, -dot(normal, direction));
    const gloss = sphere ? sphere.gloss : 0.08 + 0.92 * (1 - facing) ** 5;
    const mirrors = random() < gloss;
    if (!mirrors || sphere) carried = mul(carried, colour);
    const ripple: Vec = sphere ? [0, 0, 0] : [(random() - 0.5) * 0.05, 0, (random() - 0.5) * 0.05];
    direction = mirrors
      ? unit(add(sub(direction, scale(normal, 2 * dot(direction, normal))), ripple))
      : scattered(normal, random);
    origin = point;
  }
  return [0, 0, 0];
}

/** Renders one tile of a job's picture into `pixels` (RGBA of the whole picture). */
export function renderTile(pixels: Uint8Array, tile: PictureTile, seed: number, samplesPerPixel: number): void {
  const spheres = lakeScene(seed);
  const random = seededRandom(seed * 7919 + tile.x * 31 + tile.y);
  const eye: Vec = [0.15, 1.35, -6.4];
  for (let y = tile.y; y < tile.y + tile.height; y += 1) {
    for (let x = tile.x; x < tile.x + tile.width; x += 1) {
      let sum: Vec = [0, 0, 0];
      for (let s = 0; s < samplesPerPixel; s += 1) {
        const across = ((x + random()) / tile.picture_width - 0.5) * (tile.picture_width / tile.picture_height);
        const up = 0.5 - (y + random()) / tile.picture_height;
        const sample = radiance(spheres, eye, unit([across * 0.86, up * 0.86 - 0.1, 1]), random);
        sum = add(sum, [Math.min(sample[0], 3), Math.min(sample[1], 3), Math.min(sample[2], 3)]);
      }
      const at = (y * tile.picture_width + x) * 4;
      for (let c = 0; c < 3; c += 1) {
        const linear = ((sum[c] ?? 0) / samplesPerPixel) * 1.05;
        pixels[at + c] = Math.round(255 * (linear / (linear + 0.62)) ** (1 / 1.6));
      }
      pixels[at + 3] = 255;
    }
  }
}
