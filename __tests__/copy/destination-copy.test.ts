import { describe, expect, test } from "vitest";
import { OperationError, type Side } from "../../src/errors.ts";
import { startUploadWorld } from "./upload-world.ts";

const mebibyte = 1024 * 1024;

function trouble(side: Side, temporary: boolean): OperationError {
  return new OperationError({
    side,
    host: "registry.example",
    operation: "trying",
    problem: "no",
    temporary,
  });
}

describe("how a destination's blobs are cut", () => {
  test("not at all, until an upload breaks: then into quarters of what a connection carried", async () => {
    await using world = await startUploadWorld();
    const { destination } = world;
    expect([destination.chunk, destination.mayChunk]).toEqual([undefined, true]);
    destination.broke(40 * mebibyte, undefined);
    expect(destination.chunk).toEqual({ size: 10 * mebibyte, ownConnection: true, breaks: 1 });
    destination.broke(3 * mebibyte, destination.chunk);
    expect(destination.chunk?.size).toBe(2.5 * mebibyte);
    for (let more = 0; more < 5; more += 1) destination.broke(mebibyte, destination.chunk);
    expect(destination.chunk?.size).toBe(mebibyte);
  });

  test("into smaller parts while more connections share the link, so that each takes no longer", async () => {
    await using world = await startUploadWorld();
    const { destination } = world;
    const { uploads } = destination.options;
    const before = uploads.limit;
    destination.broke(40 * mebibyte, undefined);
    uploads.resize(before);
    expect([uploads.limit, destination.chunk?.size]).toEqual([2 * before, 5 * mebibyte]);
    uploads.resize(-before);
    expect(destination.chunk?.size).toBe(10 * mebibyte);
    uploads.resize(1 - before);
    expect([uploads.limit, destination.chunk?.size]).toEqual([1, 10 * mebibyte]);
  });

  test("by one cut of the link once, however many uploads it breaks", async () => {
    await using world = await startUploadWorld();
    const { destination } = world;
    for (let upload = 0; upload < 8; upload += 1) destination.broke(64 * mebibyte, undefined);
    expect(destination.chunk?.size).toBe(16 * mebibyte);
  });

  test("no smaller for a connection that never carried anything", async () => {
    await using world = await startUploadWorld();
    world.destination.broke(0, undefined);
    expect(world.destination.chunk).toBeUndefined();
  });

  test("from the start where the registry takes only so much, and smaller when that breaks", async () => {
    await using world = await startUploadWorld({ knownAs: "goharbor.azurecr.io" });
    const { destination } = world;
    expect(destination.chunk).toEqual({ size: 16 * mebibyte, ownConnection: false, breaks: 0 });
    destination.broke(9 * mebibyte, destination.chunk);
    expect(destination.chunk).toEqual({ size: 4 * mebibyte, ownConnection: true, breaks: 1 });
  });

  test("never where several chunks break an upload", async () => {
    await using world = await startUploadWorld({ knownAs: "ghcr.io" });
    world.destination.broke(10 * mebibyte, undefined);
    expect([world.destination.chunk, world.destination.mayChunk]).toEqual([undefined, false]);
  });
});

describe("a destination", () => {
  test("is down after three failures in a row that are its own", async () => {
    await using world = await startUploadWorld();
    const { destination } = world;
    const last = trouble("destination", true);
    destination.failed(trouble("destination", true));
    destination.failed(trouble("destination", true));
    expect(destination.signal.aborted).toBe(false);
    destination.failed(last);
    expect(destination.signal.reason).toBe(last);
  });

  test("is not down by refusals, by trouble of the source, or where something works in between", async () => {
    await using world = await startUploadWorld();
    const { destination } = world;
    const own = trouble("destination", true);
    for (const error of [own, trouble("destination", false), trouble("source", true), new Error("ours"), own])
      destination.failed(error);
    destination.succeeded();
    destination.failed(own);
    destination.failed(own);
    expect(destination.signal.aborted).toBe(false);
  });
});
