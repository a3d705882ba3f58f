/**
 * A process that stands between a tool and one registry: counts what passes, and models the link. Started by
 * `startLinkProxy` with its settings as JSON in the first argument; answers each message `report` with a `LinkReport`.
 */
import { createConnection, createServer, type Socket } from "node:net";
import { createLane, type Flow, type Lane } from "./link.ts";
import type { LinkProxySettings, LinkReport } from "./link-process.ts";
import { isOpen } from "./profiles.ts";
import { createRequestCounter, type MethodCounts } from "./request-counter.ts";

type Counts = { -readonly [Key in keyof LinkReport]: LinkReport[Key] } & { methods: MethodCounts };

const settings = JSON.parse(process.argv[2] ?? "") as LinkProxySettings;
const { model } = settings;
const counts: Counts = {
  methods: {},
  bytesUp: 0,
  bytesDown: 0,
  connections: 0,
  cuts: 0,
  firstRequestAt: undefined,
};
const open = isOpen(model);
const up = createLane(model);
const down = createLane(model);

const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
  counts.connections += 1;
  const registry = createConnection({
    port: settings.registryPort,
    host: "127.0.0.1",
    allowHalfOpen: true,
    noDelay: true,
  });
  const parser = createRequestCounter(counts.methods);
  const sentUp = (bytes: Buffer) => {
    counts.bytesUp += bytes.length;
    parser.feed(bytes);
  };
  const sentDown = (bytes: Buffer) => {
    counts.bytesDown += bytes.length;
  };
  client.once("data", () => {
    counts.firstRequestAt ??= monotonicMs();
  });
  const flows = open
    ? [direct(client, registry, sentUp), direct(registry, client, sentDown)]
    : [
        delayed(up, client, registry, sentUp, model.roundTripMs),
        delayed(down, registry, client, sentDown, 0),
      ];
  breakTogether([client, registry], flows);
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" ? address?.port : undefined });
});
process.on("message", () => process.send?.(counts));
// The benchmark ended without a word: nothing may stay behind.
process.on("disconnect", () => process.exit());

/** Forwards at once; the two sockets' own buffers are the only ones. */
function direct(sender: Socket, receiver: Socket, onSent: (bytes: Buffer) => void): Flow | undefined {
  sender.on("data", (bytes) => {
    onSent(bytes);
    if (!receiver.write(bytes)) sender.pause();
  });
  receiver.on("drain", () => sender.resume());
  sender.on("end", () => receiver.end());
  return undefined;
}

/** Forwards over a lane of the link. */
function delayed(
  lane: Lane,
  sender: Socket,
  receiver: Socket,
  onSent: (bytes: Buffer) => void,
  handshakeMs: number,
): Flow {
  const flow = lane.open({ receiver, notBeforeMs: handshakeMs, onSent, onRoom: () => sender.resume() });
  sender.on("data", (bytes) => {
    if (!flow.send(bytes)) sender.pause();
  });
  sender.on("end", () => flow.end());
  return flow;
}

/** When one side breaks, or the time of the connection has come, both sides are reset. */
function breakTogether(sockets: readonly Socket[], flows: readonly (Flow | undefined)[]): void {
  const reset = () => {
    for (const flow of flows) flow?.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const [least, most] = model.cutAfterSeconds ?? [];
  const timer =
    least === undefined || most === undefined
      ? undefined
      : setTimeout(
          () => {
            counts.cuts += 1;
            reset();
          },
          1000 * (least + Math.random() * (most - least)),
        );
  for (const socket of sockets) {
    socket.on("error", reset);
    socket.on("close", () => clearTimeout(timer));
  }
}

/** A clock that all processes of a machine share. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
