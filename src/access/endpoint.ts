import * as v from "valibot";
import type { Clock } from "../clock.ts";
import type { TcrInstance } from "../destinations/tencent/tcr-instance.ts";
import { vendorFailure } from "../destinations/vendor-api.ts";
import { printable } from "../log/log.ts";

/** The public endpoint of a TCR instance, which is closed unless somebody opens it. */
export interface PublicEndpoint {
  /** `Opened`, `Opening`, `Closed`, and others that the vendor does not document. */
  state(signal: AbortSignal): Promise<string>;
  /**
   * Opens it, unless that is under way, and waits until it is open.
   * @throws OperationError when it does not open, or not in time.
   */
  open(signal: AbortSignal): Promise<void>;
  /** Closes it, and does not wait until it is closed: nobody needs it any more. */
  close(signal: AbortSignal): Promise<void>;
}

/** Longest wait for the endpoint to open, in milliseconds. Terraform's provider gives it 15 minutes; it takes one or two. */
const openingTime = 10 * 60_000;

/** Pause between two looks at its state, in milliseconds. */
const pause = 5000;

const statusSchema = v.object({ Status: v.string(), Reason: v.nullish(v.string(), "") });

/** https://www.tencentcloud.com/document/product/1051/41106 */
export function createPublicEndpoint(instance: TcrInstance, clock: Clock): PublicEndpoint {
  async function look(signal: AbortSignal): Promise<v.InferOutput<typeof statusSchema>> {
    const operation = "asking for the state of the public endpoint";
    const call = { action: "DescribeExternalEndpointStatus", operation, parameters: {}, signal };
    return instance.call(call, statusSchema);
  }

  async function manage(Operation: "Create" | "Delete", signal: AbortSignal): Promise<void> {
    const operation = `${Operation === "Create" ? "opening" : "closing"} the public endpoint`;
    const call = { action: "ManageExternalEndpoint", operation, parameters: { Operation }, signal };
    await instance.call(call, v.object({}));
  }

  return {
    state: async (signal) => (await look(signal)).Status,
    close: (signal) => manage("Delete", signal),
    async open(signal) {
      if ((await look(signal)).Status === "Closed") await manage("Create", signal);
      const end = clock.now() + openingTime;
      for (;;) {
        const { Status, Reason } = await look(signal);
        if (Status === "Opened") return;
        // The API may still say "Closed" for a moment after the request.
        if ((Status !== "Opening" && Status !== "Closed") || clock.now() >= end) {
          throw vendorFailure(
            { host: instance.host, operation: "opening the public endpoint" },
            {
              problem: `its state is ${printable(Status, 40)}${Reason === "" ? "" : ` (${printable(Reason)})`}`,
              advice: "Look at the access control of the instance in the TCR console, and run again.",
            },
          );
        }
        await clock.sleep(pause, signal);
      }
    },
  };
}
