/** `os/architecture[/variant]`, as in `--platform` of Docker. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
}
