import { isLoopback, type Namespace, printNamespace, registryOrigin } from "../oci/reference.ts";

/**
 * The files that tell programs to read images from a mirror, line by line. Each is about one namespace and the mirror of it:
 * the names of the images stay, so nothing that uses them has to be changed.
 */

const dockerHub = "docker.io";

/**
 * `/etc/containerd/certs.d/<registry>/hosts.toml`. containerd asks a mirror for the same repository as the registry, below
 * `/v2/` of the host; with `override_path`, below the path that is given, which then holds `/v2` itself. So a mirror may have
 * more in front of the namespace, and not another namespace. `resolve` lets the mirror say what a tag holds: without it the
 * registry is asked for every tag. https://github.com/containerd/containerd/blob/main/docs/hosts.md
 * @returns undefined where containerd cannot be told to look there.
 */
export function containerdHosts(mirror: Namespace, original: Namespace): readonly string[] | undefined {
  const front = inFrontOf(mirror, original);
  if (front === undefined) return undefined;
  const { origin } = registryOrigin(mirror.registry);
  return [
    `server = "${registryOrigin(original.registry).origin}"`,
    "",
    `[host."${front === "" ? origin : `${origin}/v2/${front}`}"]`,
    '  capabilities = ["pull", "resolve"]',
    ...(front === "" ? [] : ["  override_path = true"]),
  ];
}

/** What a mirror has in front of the namespace, without its last slash; undefined where its path does not end with it. */
function inFrontOf(mirror: Namespace, original: Namespace): string | undefined {
  if (original.path === "") return mirror.path;
  if (mirror.path === original.path) return "";
  const end = `/${original.path}`;
  return mirror.path.endsWith(end) ? mirror.path.slice(0, -end.length) : undefined;
}

/**
 * `/etc/docker/daemon.json`. The daemon asks `registry-mirrors` for images of Docker Hub alone, and for the same repository
 * below the host's root. https://docs.docker.com/docker-hub/image-library/mirror/
 * @returns undefined where Docker cannot be told to look there.
 */
export function dockerDaemon(mirror: Namespace, original: Namespace): readonly string[] | undefined {
  if (original.registry !== dockerHub || inFrontOf(mirror, original) !== "") return undefined;
  return ["{", `  "registry-mirrors": ["${registryOrigin(mirror.registry).origin}"]`, "}"];
}

/**
 * A file of `/etc/containers/registries.conf.d/`, for Podman, CRI-O, Buildah and Skopeo: any namespace can be mirrored by any
 * other. https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
 */
export function registriesConf(mirror: Namespace, original: Namespace): readonly string[] {
  return [
    "[[registry]]",
    `location = "${printNamespace(original)}"`,
    "",
    "[[registry.mirror]]",
    `location = "${printNamespace(mirror)}"`,
    // Plain HTTP is for these addresses only.
    ...(isLoopback(mirror.registry) ? ["insecure = true"] : []),
  ];
}

/**
 * An object of OpenShift from 4.13 on, for images that are named by tag, or for those that are named by digest.
 * https://docs.redhat.com/en/documentation/openshift_container_platform/4.19/html/config_apis/imagetagmirrorset-config-openshift-io-v1
 */
export function openShiftMirrorSet(
  by: "Tag" | "Digest",
  mirror: Namespace,
  original: Namespace,
): readonly string[] {
  return [
    "apiVersion: config.openshift.io/v1",
    `kind: Image${by}MirrorSet`,
    "metadata:",
    `  name: ${objectName(original)}`,
    "spec:",
    `  image${by}Mirrors:`,
    `    - source: ${printNamespace(original)}`,
    "      mirrors:",
    `        - ${printNamespace(mirror)}`,
    "      mirrorSourcePolicy: AllowContactingSource",
  ];
}

/** A name that Kubernetes takes. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names */
function objectName(namespace: Namespace): string {
  const words = printNamespace(namespace).match(/[a-z0-9]+/g) ?? [];
  return words.join("-");
}
