import { Plus, X } from 'lucide-react';
import { useState, type SyntheticEvent } from 'react';
import { useTranslation } from 'react-i18next';

import { ask } from '../../backend/ask';
import { Button } from '../../components/button';
import { TextField } from '../../components/text-field';
import { isProgramName, names, programName, PROGRAMS_MAX } from '../../guards/rules';
import { useBackend } from '../../worker/context';
import { useAnswer } from '../../worker/use-answer';

/** A few are enough to choose from; typing finds the others. */
const SUGGESTED_MAX = 8;

interface ProgramsDetailProps {
  programs: readonly string[];
  onChange: (programs: string[]) => void;
}

/** The programs for which the GPU is free: typed, or chosen among those that run now. */
export function ProgramsDetail({ programs, onChange }: ProgramsDetailProps) {
  const { t } = useTranslation();
  const backend = useBackend();
  const running = useAnswer('programs', () => ask(backend, { command: 'programs' }, 'programs'));
  const [typed, setTyped] = useState('');
  const name = programName(typed);
  const wrong = typed.trim() !== '' && !isProgramName(name);
  const isListed = names(programs, name);
  const suggested = (running.value ?? [])
    .filter((program) => !names(programs, program) && program.toLowerCase().includes(name.toLowerCase()))
    .slice(0, SUGGESTED_MAX);
  const isFull = programs.length >= PROGRAMS_MAX;
  const add = (program: string) => {
    onChange([...programs, program]);
    setTyped('');
    // Whoever adds one has perhaps just started it.
    running.again();
  };
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (name !== '' && !wrong && !isListed && !isFull) add(name);
  };
  const complaint = wrong || isFull ? t('fault.guard_programs') : isListed ? t('programs.listed') : null;
  return (
    <div className="grid min-w-0 gap-3 pb-3">
      {programs.length > 0 && (
        <ul aria-label={t('programs.list')} className="flex flex-wrap gap-2">
          {programs.map((program) => (
            <li key={program} className="flex min-w-0 items-center rounded-full bg-raised pl-3 text-sm">
              <span className="min-w-0 py-1">{program}</span>
              <button
                type="button"
                aria-label={t('programs.remove', { program })}
                onClick={() => onChange(programs.filter((other) => other !== program))}
                className="grid size-8 shrink-0 place-items-center rounded-full text-muted hover:text-ink"
              >
                <X aria-hidden className="size-4" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <form onSubmit={submit}>
        <TextField
          label={t('programs.field')}
          value={typed}
          onChange={setTyped}
          placeholder={t('programs.example')}
          wrong={complaint}
        >
          <Button type="submit" className="shrink-0" disabled={name === '' || complaint !== null}>
            {t('programs.add')}
          </Button>
        </TextField>
      </form>
      {suggested.length > 0 && !isFull && (
        <div className="flex flex-wrap items-center gap-2 text-sm">
          <span className="text-faint">{t('programs.running')}</span>
          {suggested.map((program) => (
            <Button
              key={program}
              size="small"
              onClick={() => add(program)}
              aria-label={t('programs.add_named', { program })}
            >
              <Plus aria-hidden className="-ml-1 size-3.5" />
              {program}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}
