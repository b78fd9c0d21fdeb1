import type { AssignmentView } from '../../bindings/AssignmentView';
import type { PictureTile } from '../../bindings/PictureTile';
import type { TaskRow } from '../../bindings/TaskRow';
import { renderTile } from './path-tracer';
import { pngBase64 } from './png';
import { uuid, type Random } from './random';

const PICTURE = { width: 576, height: 384, columns: 6, rows: 4 };

/** Time that a task runs for at full effort, in milliseconds. */
export const TASK_RUN_MS = 9_000;

interface SimulatedJob {
  id: string;
  title: string;
  customer: string;
  kind: string;
  seed: number;
  tasks: number;
  price: number;
  drawsPicture: boolean;
  nextTask: number;
  /** Tiles whose task was accepted, in that order. */
  accepted: PictureTile[];
  /** How many of `accepted` are in `pixels` already; tiles are rendered when someone looks. */
  rendered: number;
  pixels: Uint8Array;
}

function tileOf(task: number): PictureTile {
  const width = PICTURE.width / PICTURE.columns;
  const height = PICTURE.height / PICTURE.rows;
  return {
    picture_width: PICTURE.width,
    picture_height: PICTURE.height,
    x: (task % PICTURE.columns) * width,
    y: Math.floor(task / PICTURE.columns) * height,
    width,
    height,
  };
}

/** The work that customers have submitted: a picture, then a search, and so on in turn. */
export class SimulatedJobs {
  private readonly jobs: SimulatedJob[] = [];
  private readonly random: Random;
  private readonly samplesPerPixel: number;

  constructor(random: Random, samplesPerPixel: number) {
    this.random = random;
    this.samplesPerPixel = samplesPerPixel;
  }

  /** Takes the next task of the oldest open job. */
  take(at: number, device: number): AssignmentView {
    let job = this.jobs.find((j) => j.nextTask < j.tasks);
    if (!job) {
      job = this.submit(at);
      this.jobs.push(job);
    }
    const task = job.nextTask;
    job.nextTask += 1;
    return {
      id: uuid(this.random, at),
      job: job.id,
      job_title: job.title,
      customer_name: job.customer,
      kind: job.kind,
      device,
      stage: 'fetching',
      fraction: 0,
      price: job.price,
      task_index: task,
      task_count: job.tasks,
      picture: job.drawsPicture ? tileOf(task) : null,
      shift: null,
    };
  }

  /** Notes that a task was accepted, so that its tile can be seen. */
  accept(row: TaskRow): void {
    const job = this.jobs.find((j) => j.id === row.job);
    if (job && row.picture) job.accepted.push(row.picture);
  }

  /** A task that was handed back is placed again. */
  handBack(view: AssignmentView): void {
    const job = this.jobs.find((j) => j.id === view.job);
    if (job) job.nextTask = Math.min(job.nextTask, view.task_index);
  }

  /** The picture of a job so far. */
  async picture(id: string): Promise<string | null> {
    const job = this.jobs.find((j) => j.id === id);
    if (!job?.drawsPicture || job.accepted.length === 0) return null;
    for (const tile of job.accepted.slice(job.rendered))
      renderTile(job.pixels, tile, job.seed, this.samplesPerPixel);
    job.rendered = job.accepted.length;
    return pngBase64(job.pixels, PICTURE.width, PICTURE.height);
  }

  private submit(at: number): SimulatedJob {
    const count = this.jobs.length;
    const drawsPicture = count % 2 === 0;
    return {
      id: uuid(this.random, at),
      title: drawsPicture ? 'Lanterns on the lake' : 'Nearest neighbours, digits',
      customer: drawsPicture ? 'Practice Studio' : 'Practice Lab',
      kind: 'wgsl/1',
      seed: 11 + count,
      tasks: drawsPicture ? PICTURE.columns * PICTURE.rows : 8,
      price: drawsPicture ? 1_850 : 1_240,
      drawsPicture,
      nextTask: 0,
      accepted: [],
      rendered: 0,
      pixels: new Uint8Array(drawsPicture ? PICTURE.width * PICTURE.height * 4 : 0),
    };
  }
}
