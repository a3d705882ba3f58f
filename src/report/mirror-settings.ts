import { type Namespace, printNamespace, sameNamespace } from "../oci/reference.ts";
import { code, codeBlock, details, escapeMarkdown } from "./markdown.ts";
import { containerdHosts, dockerDaemon, openShiftMirrorSet, registriesConf } from "./mirror-files.ts";

/**
 * How programs are told to read a namespace from a mirror, so that nobody has to rename an image: files to copy, each folded.
 * None for the namespace itself.
 */
export function mirrorSettings(mirror: Namespace, original: Namespace): readonly string[] {
  if (sameNamespace(mirror, original)) return [];
  const here = `read <code>${escapeMarkdown(printNamespace(original))}</code> from here`;
  return [
    details(`containerd: ${here}`, containerdText(mirror, original)),
    details(`Docker: ${here}`, dockerText(mirror, original)),
    details(`Podman, CRI-O, Buildah, Skopeo: ${here}`, registriesText(mirror, original)),
    details(`OpenShift: ${here}`, openShiftText(mirror, original)),
  ];
}

function containerdText(mirror: Namespace, original: Namespace): string {
  const lines = containerdHosts(mirror, original);
  if (lines === undefined) return otherNames("containerd asks a mirror", mirror, original);
  const file = escapeMarkdown(`/etc/containerd/certs.d/${original.registry}/hosts.toml`);
  return [
    `As <code>${file}</code> on every node, with <code>config_path = &quot;/etc/containerd/certs.d&quot;</code> in containerd's own configuration. No restart is needed for the file.`,
    codeBlock("toml", lines),
    `What the mirror does not have, or does not give without a login, is read from ${code(original.registry)}. <code>resolve</code> trusts the mirror to say what a tag holds: drop it, and containerd asks ${code(original.registry)} for that.`,
  ].join("\n\n");
}

function dockerText(mirror: Namespace, original: Namespace): string {
  const lines = dockerDaemon(mirror, original);
  if (lines === undefined)
    return otherNames("Docker asks a mirror for images of Docker Hub alone, and", mirror, original);
  return [
    "In <code>/etc/docker/daemon.json</code>, then restart the daemon:",
    codeBlock("json", lines),
    "This setting is about images of Docker Hub, all of them, and about those alone: images of other registries are not read from a mirror. Each is asked for here first, and read from Docker Hub where it is not there or is not given without a login.",
  ].join("\n\n");
}

function otherNames(asks: string, mirror: Namespace, original: Namespace): string {
  const [wanted, held] = [original, mirror].map(({ path }) => code(`${path === "" ? "" : `${path}/`}…`));
  return `${asks} for ${wanted}, and the images are ${held} here: it cannot be told to look there. Use the names of the mirror, as above.`;
}

function registriesText(mirror: Namespace, original: Namespace): string {
  return [
    "As a file of <code>/etc/containers/registries.conf.d/</code>, such as <code>50-mirror.conf</code>. CRI-O has to be reloaded.",
    codeBlock("toml", registriesConf(mirror, original)),
    "The mirror is asked first; what it does not have is read from where it was read before.",
  ].join("\n\n");
}

function openShiftText(mirror: Namespace, original: Namespace): string {
  return [
    `From 4.13 on, for ${code("oc apply --filename")}. Each node gets the same as a <code>registries.conf</code>. A login for the mirror has to be in the cluster's global pull secret.`,
    codeBlock("yaml", openShiftMirrorSet("Tag", mirror, original)),
    "For images that are named by digest, the same as another object:",
    codeBlock("yaml", openShiftMirrorSet("Digest", mirror, original)),
  ].join("\n\n");
}
