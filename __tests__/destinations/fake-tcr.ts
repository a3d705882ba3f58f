import { routedTransport, type ScriptedTransport } from "../support/scripted-transport.ts";

/** State of a TCR instance and what its API does with it, without signatures: for the tests of the destination's logic. */
export interface FakeTcr {
  readonly transport: ScriptedTransport;
  readonly calls: readonly TcrCall[];
  readonly namespaces: Map<string, boolean>;
  /** Tags by `namespace/repository`. */
  readonly repositories: Map<string, Set<string>>;
  /** Instances of the account: names with id and region. */
  readonly instances: Map<string, { readonly id: string; readonly region: string }>;
  /** Tags that a rule protects. */
  readonly immutable: Set<string>;
  /** Errors to answer with, by action, each used once. */
  readonly errors: Map<string, string[]>;
  /** Number of the first page of a list. */
  firstPage: 0 | 1;
  /** How many times a deleted tag is still listed. */
  staleLists: number;
  /** Temporary logins made so far: `token-1`, `token-2`. */
  logins: number;
  /** What `ExpTime` of a new login says. */
  expiry: () => number;
}

export interface TcrCall {
  readonly action: string;
  readonly region: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

type Handler = (fake: FakeTcr, parameters: Readonly<Record<string, unknown>>) => object;

class TcrError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  [
    // As the real filter may do: finds names that contain the value.
    "DescribeInstances",
    (fake, { Filters }) => {
      const [{ Values }] = Filters as [{ Values: [string] }];
      const found = [...fake.instances].filter(([name]) => name.includes(Values[0]));
      return {
        Registries: found.map(([name, { id, region }]) => ({
          RegistryId: id,
          RegistryName: name,
          RegionName: region,
        })),
      };
    },
  ],
  [
    "CreateInstanceToken",
    (fake) => {
      fake.logins++;
      return { Username: "100012345678", Token: `token-${fake.logins}`, ExpTime: fake.expiry() };
    },
  ],
  [
    "DescribeNamespaces",
    (fake, { NamespaceName, Limit, Offset }) => {
      const found = [...fake.namespaces].filter(([name]) => name.includes(String(NamespaceName ?? "")));
      const list = found.map(([Name, Public]) => ({ Name, Public }));
      // A page past the end is the last page again, and page 0 the first: the worst that a page number can mean.
      const last = Math.max(1, Math.ceil(list.length / Number(Limit)));
      const page = Math.min(Math.max(Number(Offset), 1), last);
      const start = (page - 1) * Number(Limit);
      return { NamespaceList: list.slice(start, start + Number(Limit)), TotalCount: 1000 };
    },
  ],
  [
    "CreateNamespace",
    (fake, { NamespaceName, IsPublic }) => {
      fake.namespaces.set(String(NamespaceName), IsPublic === true);
      return {};
    },
  ],
  [
    "DeleteRepositoryTags",
    (fake, { NamespaceName, RepositoryName, Tags }) => {
      const tags = Tags as readonly string[];
      const held = fake.repositories.get(`${NamespaceName}/${RepositoryName}`);
      if (tags.length > 20) throw new TcrError("InvalidParameter.ErrorTcrInvalidParameter");
      if (tags.some((tag) => held?.has(tag) !== true)) throw new TcrError("ResourceNotFound");
      if (tags.some((tag) => fake.immutable.has(tag)))
        throw new TcrError("FailedOperation.PreconditionFailed");
      for (const tag of tags) held?.delete(tag);
      return {};
    },
  ],
  [
    "DescribeImages",
    (fake, { NamespaceName, RepositoryName, ImageVersion, ExactMatch, Offset }) => {
      const held = fake.repositories.get(`${NamespaceName}/${RepositoryName}`);
      if (held === undefined) throw new TcrError("ResourceNotFound.TcrResourceNotFound");
      const wanted = String(ImageVersion);
      const stale = fake.staleLists > 0 ? [wanted] : [];
      if (stale.length > 0) fake.staleLists--;
      const all = [...held, ...stale];
      const found = all.filter((tag) => (ExactMatch === true ? tag === wanted : tag.includes(wanted)));
      const shown = Offset === fake.firstPage ? found : [];
      const list = shown.length === 0 ? null : shown.map((tag) => ({ ImageVersion: tag }));
      return { ImageInfoList: list, TotalCount: found.length };
    },
  ],
]);

/** A TCR account with the instance `goharbor`. */
export function fakeTcr(): FakeTcr {
  const calls: TcrCall[] = [];
  const transport = routedTransport(({ headers, body }) => {
    const action = headers["x-tc-action"] ?? "";
    const parameters = JSON.parse(body) as Record<string, unknown>;
    calls.push({ action, region: headers["x-tc-region"] ?? "", parameters });
    const handler = handlers.get(action);
    if (handler === undefined) throw new Error(`unexpected action ${action}`);
    return { json: { Response: { ...outcome(() => handler(fake, parameters), action), RequestId: "r" } } };
  });
  function outcome(work: () => object, action: string): object {
    const scripted = fake.errors.get(action)?.shift();
    if (scripted !== undefined) return { Error: { Code: scripted, Message: "scripted" } };
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TcrError)) throw error;
      return { Error: { Code: error.code, Message: "refused" } };
    }
  }
  const fake: FakeTcr = {
    transport,
    calls,
    namespaces: new Map(),
    repositories: new Map(),
    instances: new Map([["goharbor", { id: "tcr-12345678", region: "ap-shanghai" }]]),
    immutable: new Set(),
    errors: new Map(),
    firstPage: 1,
    staleLists: 0,
    logins: 0,
    expiry: () => 0,
  };
  return fake;
}
