import { useEffect, useRef } from 'react';
import uPlot from 'uplot';

import { useShownTheme } from '../theme';

interface PlotProps {
  data: uPlot.AlignedData;
  /** Rebuilds the options; called again when `optionsKey`, the theme or the element's width changes. */
  options: (colour: (variable: string) => string) => Omit<uPlot.Options, 'width' | 'height'>;
  /** Names everything that the options depend on. */
  optionsKey: string;
  height: number;
  className?: string;
}

/** A uPlot as wide as its place. What it shows is said in words beside it: a canvas tells a reader nothing. */
export function Plot({ data, options, optionsKey, height, className }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const newest = useRef({ data, options });
  useEffect(() => {
    newest.current = { data, options };
  });
  const theme = useShownTheme();
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (variable: string) => style.getPropertyValue(variable).trim();
    const made = new uPlot(
      { ...newest.current.options(colour), width: element.clientWidth || 320, height },
      newest.current.data,
      element,
    );
    plot.current = made;
    const resized = new ResizeObserver(() => {
      if (element.clientWidth > 0) made.setSize({ width: element.clientWidth, height });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [optionsKey, theme, height]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);
  return <div ref={place} aria-hidden className={className} />;
}
