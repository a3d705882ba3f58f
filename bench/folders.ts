/** Where the benchmark keeps what it does not want to make anew. Nothing of it belongs into the repository. */
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Blobs, seeded registries and installed peers; kept between runs. `install-peers.sh` names the same folder. */
export const cacheFolder = join(tmpdir(), "harbor-release-mirror-bench");

/** The search path for programs: where `install-peers.sh` puts them, then the usual places. */
export const searchPath = [join(cacheFolder, "peers/bin"), process.env.PATH].join(delimiter);

/** Where results are written, unless another folder is given. */
export const resultsFolder = fileURLToPath(new URL("results", import.meta.url));
