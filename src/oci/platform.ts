import type { DescriptorPlatform } from "./manifest.ts";

/** `os/architecture[/variant]`, as in `--platform` of Docker. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
}

/**
 * The values that an image may have (https://github.com/opencontainers/image-spec/blob/main/image-index.md: those of Go's
 * GOOS and GOARCH, https://go.dev/doc/install/source#environment), and what WebAssembly has at Docker.
 */
export const operatingSystems: readonly string[] =
  "aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasi wasip1 windows".split(
    " ",
  );
export const architectures: readonly string[] =
  "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x sparc64 wasm".split(
    " ",
  );

/** Whether a platform of an index is wanted. One that is wanted without a variant stands for all its variants. */
export function isWanted(of: DescriptorPlatform, platforms: readonly Platform[]): boolean {
  return platforms.some(
    ({ os, architecture, variant }) =>
      os === of.os && architecture === of.architecture && (variant === undefined || variant === of.variant),
  );
}
