/** The links of the benchmark, as data: what stands between a tool and each registry. */

/** The three registries of every run. `near` has Docker Hub's place, `far` has TCR's. */
export const places = ["source", "near", "far"] as const;
export type Place = (typeof places)[number];

/** One link, the same in both directions. Rates are those of the payload: headers of IP and TCP are not counted. */
export interface LinkModel {
  /** Round-trip time in milliseconds. */
  readonly roundTripMs: number;
  /** Bytes per second and direction of each connection; undefined: no limit of its own. */
  readonly connectionRate: number | undefined;
  /** Bytes per second and direction of all connections together; undefined: no limit. */
  readonly totalRate: number | undefined;
  /** Age in seconds, least and most, at which a connection is reset; undefined: never. */
  readonly cutAfterSeconds: readonly [number, number] | undefined;
}

export interface Profile {
  readonly name: ProfileName;
  /** One sentence for the output. */
  readonly title: string;
  readonly links: Readonly<Record<Place, LinkModel>>;
}

const megabyte = 1_000_000;

/** No delay, no limit: the proxy only counts. */
export const openLink: LinkModel = {
  roundTripMs: 0,
  connectionRate: undefined,
  totalRate: undefined,
  cutAfterSeconds: undefined,
};

/** A runner and a registry in one region: 60 MB/s is what a shared 500 Mbit/s leaves. */
const nearLink: LinkModel = { ...openLink, roundTripMs: 20, totalRate: 60 * megabyte };

/** Across the Pacific: a window of 0.8 MB in 200 ms is 4 MB/s for each connection, and four of them fill the path. */
const farLink: LinkModel = {
  ...openLink,
  roundTripMs: 200,
  connectionRate: 4 * megabyte,
  totalRate: 16 * megabyte,
};

export const profileNames = ["loopback", "near-far", "cut"] as const;
export type ProfileName = (typeof profileNames)[number];

export const profiles: Readonly<Record<ProfileName, Profile>> = {
  loopback: {
    name: "loopback",
    title: "loopback, no limits",
    links: { source: openLink, near: openLink, far: openLink },
  },
  "near-far": {
    name: "near-far",
    title: "source and near: 20 ms, 60 MB/s in total; far: 200 ms, 4 MB/s per connection, 16 MB/s in total",
    links: { source: nearLink, near: nearLink, far: farLink },
  },
  cut: {
    name: "cut",
    title: "as near-far, every connection of the far link reset 3 to 5 s after it was opened",
    links: { source: nearLink, near: nearLink, far: { ...farLink, cutAfterSeconds: [3, 5] } },
  },
};

/** Whether a link does nothing, so that bytes need not pass through a queue. */
export function isOpen(link: LinkModel): boolean {
  return link.roundTripMs === 0 && link.connectionRate === undefined && link.totalRate === undefined;
}
