import { type Namespace, registryOrigin } from "../oci/reference.ts";
import { code, codeBlock, details } from "./markdown.ts";

/** Where Harbor's installer and chart look for images: this namespace of Docker Hub. */
const original = { registry: "docker.io", path: "goharbor" } as const;

/** Whether a destination is the place where Harbor's users look anyway. */
export function isOriginal({ registry, path }: Namespace): boolean {
  return registry === original.registry && path === original.path;
}

/**
 * How containerd and Docker are told to read `docker.io/goharbor` from a mirror, so that nobody has to rename an image.
 * Both ask a mirror for the same repository as Docker Hub, so its namespace has to end with `goharbor`. Nothing for a
 * namespace of Docker Hub itself, and for a registry without namespaces, where nothing tells what Docker Hub's would be.
 */
export function mirrorSettings(destination: Namespace): readonly string[] {
  const { registry, path } = destination;
  if (registry === original.registry || path === "") return [];
  const prefix = prefixOf(path);
  if (prefix === undefined) {
    return [
      `containerd and Docker ask a mirror of Docker Hub for ${code(`${original.path}/…`)}, and the images are below ${code(path)} here: neither can be told to look there. Use the names of the mirror, as above.`,
    ];
  }
  const origin = registryOrigin(registry).origin;
  return [
    details("containerd: read docker.io/goharbor from here", containerdText(origin, prefix)),
    details("Docker: read docker.io/goharbor from here", dockerText(origin, prefix)),
  ];
}

/** What stands before `goharbor` in a namespace, with its slash; undefined where the namespace ends otherwise. */
function prefixOf(path: string): string | undefined {
  if (path === original.path) return "";
  return path.endsWith(`/${original.path}`) ? path.slice(0, -original.path.length) : undefined;
}

/**
 * `resolve` lets the mirror say what a tag points to. Without it containerd asks Docker Hub for every tag, which fails where
 * Docker Hub cannot be reached. `override_path` is for a path between the API's root and the repository.
 */
function containerdText(origin: string, prefix: string): string {
  const host = prefix === "" ? origin : `${origin}/v2/${prefix.slice(0, -1)}`;
  const toml = codeBlock("toml", [
    'server = "https://registry-1.docker.io"',
    "",
    `[host."${host}"]`,
    '  capabilities = ["pull", "resolve"]',
    ...(prefix === "" ? [] : ["  override_path = true"]),
  ]);
  return [
    "As <code>/etc/containerd/certs.d/docker.io/hosts.toml</code> on every node, with <code>config_path = &quot;/etc/containerd/certs.d&quot;</code> in containerd's own configuration. No restart is needed for the file.",
    toml,
    "What the mirror does not have, or does not give without a login, is read from Docker Hub. <code>resolve</code> trusts the mirror to say what a tag holds: drop it, and containerd asks Docker Hub for that.",
  ].join("\n\n");
}

/**
 * The daemon applies `registry-mirrors` to images of Docker Hub alone, whatever else it pulls, and asks the mirror for the
 * same repository below its root. https://docs.docker.com/docker-hub/image-library/mirror/
 */
function dockerText(origin: string, prefix: string): string {
  if (prefix !== "") {
    return `Docker's <code>registry-mirrors</code> asks a mirror for ${code(`${original.path}/…`)} itself, and the images are below ${code(`${prefix}${original.path}`)} here: it cannot be told to look there. Use the names of the mirror, as above.`;
  }
  return [
    "In <code>/etc/docker/daemon.json</code>, then restart the daemon:",
    codeBlock("json", ["{", `  "registry-mirrors": ["${origin}"]`, "}"]),
    "This setting is about images of Docker Hub, all of them, and about those alone: images of other registries are not read from a mirror. Each is asked for here first, and read from Docker Hub where it is not there or is not given without a login.",
  ].join("\n\n");
}
