import '@testing-library/jest-dom/vitest';
import { cleanup } from '@testing-library/react';
import { afterEach, beforeEach, vi } from 'vitest';

// jsdom draws nothing: charts are replaced by their absence, and what they show is tested in words.
vi.mock('uplot', () => ({
  default: class {
    static readonly paths = { bars: () => () => null };
    destroy(): void {}
    setData(): void {}
    setSize(): void {}
  },
}));

// What jsdom lacks and browsers have.
const browserOnly = {
  matchMedia: (media: string) => ({
    media,
    matches: false,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }),
  ResizeObserver: class {
    observe(): void {}
    unobserve(): void {}
    disconnect(): void {}
  },
  scrollTo: () => undefined,
};
Object.assign(window, browserOnly);
Object.assign(Element.prototype, {
  hasPointerCapture: () => false,
  scrollIntoView: () => undefined,
  scrollTo: () => undefined,
});
Object.assign(HTMLDialogElement.prototype, {
  showModal(this: HTMLDialogElement) {
    this.open = true;
  },
  close(this: HTMLDialogElement) {
    this.open = false;
  },
});

beforeEach(() => localStorage.clear());
afterEach(cleanup);
