// The program as a subgraph, in front of the sandbox.

import { startProgram } from '../program.mjs';

/** Starts the program as a subgraph. Gives its endpoint, and what stops it. */
export const startSubgraph = () => startProgram('--federation', 'on', '--cache-ttl', '0s');
