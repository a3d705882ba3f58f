import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { randomBytes } from "../../sandbox/images.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { RecentChunks } from "../../src/spool/recent-chunks.ts";
import { SpooledBlob } from "../../src/spool/spool.ts";

/** Where the spool files of a test file are. */
export const folder = await mkdtemp(join(tmpdir(), "spool-test-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const octets = "application/octet-stream";
export const plenty = 1e9;

export interface Spooling {
  readonly bytes?: Uint8Array;
  /** What the descriptor says, where that is not the truth. */
  readonly size?: number;
  /** Bytes kept in memory. */
  readonly memory?: number;
}

/** An empty spool file for some bytes. */
export async function spooledFor({
  bytes = randomBytes("spool", 1000),
  size,
  memory = plenty,
}: Spooling = {}) {
  const descriptor = { digest: digestOf(bytes), size: size ?? bytes.length, mediaType: octets };
  const spooled = await SpooledBlob.create(folder, descriptor, new RecentChunks(memory));
  const write = (from: number, to: number): Promise<void> =>
    spooled.write(from, Buffer.from(bytes.subarray(from, to)));
  return { spooled, bytes, write };
}

/** The bytes that a follower gets, to the end. Copied, as a chunk is the reader's only until the next. */
export async function all(following: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of following) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Lets everything that is ready to go on do so. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
