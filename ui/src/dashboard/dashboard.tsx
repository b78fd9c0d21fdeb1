import { useStateWords } from '../worker/use-state-words';

/** Everything after enrolment. */
export function Dashboard() {
  const words = useStateWords();
  return (
    <main id="content" data-testid="dashboard" className="p-8">
      <h1 data-testid="state-title">{words.title}</h1>
      <p data-testid="state-why">{words.why}</p>
    </main>
  );
}
