/** A service that answers with the address of who asks, as plain text with a line end, like `checkip.amazonaws.com`. */
import { json, type SandboxServer, startServer } from "./server.ts";

/** @param address what it says; looked up on every request. */
export function startAddressService(address: () => string): Promise<SandboxServer> {
  return startServer(({ method }) => {
    if (method !== "GET") return json(405, {});
    return { status: 200, headers: { "content-type": "text/plain" }, body: `${address()}\n` };
  });
}
