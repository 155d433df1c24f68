/** The embedded sandbox: simulated experts, the tasks they solve, and grading. The provider is `../providers/sandbox.ts`. */
export { type ErrorCurve, type ExpertProfile, errorProbability, sandboxExperts } from './experts.ts';
export { families, type SolvedTask, solveTask } from './families/index.ts';
export type { Skill, Solution, Task, TaskFamily } from './family.ts';
export { SKILLS } from './family.ts';
export { gradeAnswer, type MakeTasksOptions, makeTasks } from './tasks.ts';
