import type { Cause } from '../../bindings/Cause';
import type { GuardRules } from '../../bindings/GuardRules';
import type { GuardState } from '../../bindings/GuardState';
import type { GuardView } from '../../bindings/GuardView';
import type { StateView } from '../../bindings/StateView';

/** A twelfth of the real one, so that it can be looked at. */
const RESUME_DELAY_MS = 5_000;

/** What the simulated machine is watched for. It has no battery that could be asked. */
export class SimulatedGuards {
  private game: { program: string; since: number } | null = null;

  /** A program fills the screen, or none does any more. */
  play(program: string | null, now: number): void {
    this.game = program === null ? null : { program, since: now };
  }

  /** What holds the GPU free from now on, if that is something else than before. */
  turn(state: StateView, rules: GuardRules, now: number): Cause | null {
    const held = state.name === 'yielding' ? state.causes[0] : undefined;
    const game = rules.full_screen ? this.game : null;
    if (game) return held?.guard === 'full_screen' ? null : { guard: 'full_screen', ...game };
    return held?.guard === 'full_screen' ? { guard: 'resume_delay', until: now + RESUME_DELAY_MS } : null;
  }

  /** Whether a cause that ends by itself has ended. A pause ends without a delay: its end was chosen. */
  isOver(cause: Cause | undefined, now: number): boolean {
    return cause !== undefined && 'until' in cause && cause.until !== null && now >= cause.until;
  }

  views(rules: GuardRules): GuardView[] {
    const { game } = this;
    const watched: GuardState = game
      ? { state: 'tripped', trip: { guard: 'full_screen', program: game.program }, since: game.since }
      : { state: 'clear' };
    return [
      { guard: 'full_screen', stand: rules.full_screen ? watched : { state: 'off' } },
      { guard: 'battery', stand: { state: rules.battery ? 'unwatched' : 'off' } },
    ];
  }
}
