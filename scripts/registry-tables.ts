import type { Fact, UploadForm, Vendor } from "../src/vendors/vendor.ts";
import { vendors } from "../src/vendors/vendors.ts";

/** Who makes a repository, in a few words. */
const makers: Readonly<Record<Vendor["repositories"]["madeBy"], string>> = {
  push: "the first push",
  api: "this Action, with the vendor's key",
  user: "you, beforehand",
};

/** What becomes of old tags, in a few words. */
const deletions: Readonly<Record<Vendor["deletion"]["route"], string>> = {
  "docker-hub": "Hub API",
  tcr: "TCR API",
  registry: "registry API",
  harbor: "Harbor API",
  acr: "Azure's API",
  ecr: "ECR API, with an AWS key",
  packages: "packages API",
  artifactory: "Artifactory API",
  none: "stay",
};

/** How repositories are listed, in a few words. */
const listings: Readonly<Record<Vendor["listing"]["route"], string>> = {
  "docker-hub": "Hub API",
  packages: "packages API",
  quay: "Quay API",
  ecr: "ECR API, with an AWS key",
  tcr: "TCR API, with a key",
  "tcr-personal": "TCR API, with a key",
  harbor: "Harbor API",
  catalog: "`_catalog`",
};

const mounts: Readonly<Record<Vendor["mount"]["works"], string>> = {
  yes: "yes",
  referenced: "what a manifest holds",
  unknown: "tried",
};

/** The table of registries: what the code goes by, one row each. */
export function registryTable(): string {
  const rows = vendors.map((vendor) => [
    `[${vendor.name}](#${anchorOf(vendor)})`,
    `\`${vendor.id}\``,
    makers[vendor.repositories.madeBy],
    listings[vendor.listing.route],
    mounts[vendor.mount.works],
    formOf(vendor.upload.form),
    deletions[vendor.deletion.route],
    `${vendor.limits.requests.start} to ${vendor.limits.requests.ceiling}`,
  ]);
  const head = [
    "Registry",
    "`type=`",
    "Repositories",
    "Listed by",
    "Mount",
    "Uploads",
    "Old tags",
    "Requests at a time",
  ];
  return table(head, rows);
}

/** Each registry under a heading of its own: every fact with its source. */
export function registryFacts(): string {
  return vendors
    .map((vendor) => {
      const facts: readonly (readonly [string, Fact | undefined])[] = [
        ["Login", vendor.login],
        ["Rights", rightsOf(vendor)],
        ["Repositories", vendor.repositories],
        ["Listed", vendor.listing],
        ["Mount", vendor.mount],
        ["Uploads", vendor.upload],
        ["Upload given up", vendor.uploadGivenUp],
        ["Old tags", vendor.deletion],
        ["Limits", vendor.limits],
        ["Otherwise", vendor.manners],
      ];
      const rows = facts.flatMap(([name, fact]) =>
        fact === undefined
          ? []
          : [[name, fact.text, fact.source === undefined ? "none found" : `[source](${fact.source})`]],
      );
      const hosts = vendor.hosts === undefined ? "" : `Hosts: ${hostsOf(vendor.hosts)}.\n\n`;
      return `### ${vendor.name}\n\n${hosts}${table(["What", "How", "From"], rows)}`;
    })
    .join("\n\n");
}

function rightsOf({ rights }: Vendor): Fact | undefined {
  return rights && { text: `To read: ${rights.pull} To write: ${rights.push}`, source: rights.source };
}

/** Host names as code; what else stands there as it is. */
function hostsOf(text: string): string {
  return text
    .split(", ")
    .map((item) => (/^[<*.a-z][^ `]*$/.test(item) ? `\`${item}\`` : item))
    .join(", ");
}

function formOf(form: UploadForm): string {
  const size = "chunk" in form ? `${form.chunk / 1024 / 1024} MiB` : "";
  switch (form.kind) {
    case "any":
      return "one request, chunks after a break";
    case "whole":
      return "one request only";
    case "limited":
      return `chunks of ${size}`;
    case "patched":
      return `PATCH of at most ${size}, empty PUT`;
  }
}

/** Anchor of a heading, as GitHub makes it. */
function anchorOf({ name }: Vendor): string {
  return name.toLowerCase().replace(/\s/g, "-");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map(row).join("\n");
}

/** A bar inside a cell would end it. */
function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
