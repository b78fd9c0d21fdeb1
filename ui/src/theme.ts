import { useSyncExternalStore } from 'react';

/** Night, day, or what the system says. */
export type ThemeChoice = 'system' | 'dark' | 'light';

const STORED_THEME = 'lull.theme';
const listeners = new Set<() => void>();
const systemPrefersDay = window.matchMedia('(prefers-color-scheme: light)');

export function chosenTheme(): ThemeChoice {
  const stored = localStorage.getItem(STORED_THEME);
  return stored === 'dark' || stored === 'light' ? stored : 'system';
}

function shownTheme(): 'dark' | 'light' {
  const choice = chosenTheme();
  if (choice !== 'system') return choice;
  return systemPrefersDay.matches ? 'light' : 'dark';
}

function apply(): void {
  document.documentElement.dataset.theme = shownTheme();
  listeners.forEach((listener) => listener());
}

/** Shows the chosen theme, and follows the system while that is the choice. */
export function setUpTheme(): void {
  apply();
  systemPrefersDay.addEventListener('change', apply);
}

export function chooseTheme(choice: ThemeChoice): void {
  localStorage.setItem(STORED_THEME, choice);
  apply();
}

/** The theme on screen; charts redraw when it changes, since a canvas takes no style sheet. */
export function useShownTheme(): 'dark' | 'light' {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, shownTheme);
}

/** The choice, for the setting. */
export function useChosenTheme(): ThemeChoice {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, chosenTheme);
}
