/** The command line as a library: for tests and for embedding. */
export { type Command, type CommandIo, EXIT } from './command.ts';
export { runCommandLine, VERSION } from './run.ts';
