/* Job type "MeshKin Batch" for Flamenco 3.3 and newer.
 *
 * Copy this file into the folder "scripts" beside the Flamenco Manager, and define in its configuration the variable
 * "meshkin": how the command is called on each platform. Paths are two-way variables of the Manager, as for renders.
 *
 * Each task runs some items of the batch, whose folder all workers share. A stage begins when the one before is done;
 * the last task writes the report.
 */

const JOB_TYPE = {
    label: "MeshKin Batch",
    settings: [
        { key: "manifest", type: "string", subtype: "file_path", required: true,
          description: "The manifest: a JSON, TOML or CSV file" },
        { key: "output", type: "string", subtype: "dir_path", required: true,
          description: "The folder that gets results, records and the report" },
        { key: "stages", type: "string", required: true,
          description: "How many items each stage has, as meshkin batch --dry-run tells it, such as 16g,60" },
        { key: "chunk_size", type: "int32", default: 10, propargs: { min: 1 },
          description: "Items of one task" },
        { key: "gpu_task_type", type: "string", default: "misc",
          description: "Type of the tasks that need a graphics card; workers without one must not support it" },
        { key: "report", type: "bool", default: true,
          description: "Write the report when all is done" },
        { key: "meshkin", type: "string", default: "{meshkin}", visible: "hidden",
          description: "The command, by the Manager's variable" },
    ]
};

function compileJob(job) {
    const settings = complete(job.settings);
    let number = 1;
    let before = [];
    parseStages(settings.stages).forEach((groups, index) => {
        const tasks = [];
        for (const group of groups) {
            const end = number + group.count;
            for (; number < end; number += settings.chunk_size) {
                const last = Math.min(number + settings.chunk_size, end) - 1;
                tasks.push(itemsTask(settings, number, last, group.gpu));
            }
            number = end;
        }
        addStage(job, tasks, before);
        before = tasks.length > 1 ? [doneTask(job, index + 1, tasks)] : tasks;
    });
    if (settings.report) {
        addStage(job, [reportTask(settings)], before);
    }
}

// What was submitted, and the defaults of what was left out: those are the submitter's business, not the Manager's.
function complete(submitted) {
    const settings = {};
    for (const setting of JOB_TYPE.settings) {
        const value = submitted[setting.key];
        settings[setting.key] = value === undefined || value === null ? setting.default : value;
    }
    return settings;
}

// "16g+2,60": 16 items for the graphics card and 2 others, then 60.
function parseStages(text) {
    return text.split(",").map((stage) => stage.split("+").map((group) => {
        const found = group.trim().match(/^([1-9]\d*)(g?)$/);
        if (!found) {
            throw new Error(`"${text}" are no stages: take what meshkin batch --dry-run tells`);
        }
        return { count: parseInt(found[1], 10), gpu: found[2] === "g" };
    }));
}

function itemsTask(settings, first, last, gpu) {
    const task = author.Task(`items-${first}-${last}`, gpu ? settings.gpu_task_type : "misc");
    task.addCommand(author.Command("exec", {
        exe: settings.meshkin,
        args: ["batch", settings.manifest, "--only", `${first}-${last}`, "--output", settings.output],
    }));
    return task;
}

// One task between two stages, so that not every task of the one depends on every task of the other.
function doneTask(job, number, tasks) {
    const task = author.Task(`stage-${number}-done`, "misc");
    task.addCommand(author.Command("echo", { message: `Stage ${number} is done.` }));
    addStage(job, [task], tasks);
    return task;
}

function reportTask(settings) {
    const task = author.Task("report", "misc");
    task.addCommand(author.Command("exec", {
        exe: settings.meshkin,
        args: ["batch", "report", settings.output],
    }));
    return task;
}

function addStage(job, tasks, before) {
    for (const task of tasks) {
        for (const other of before) {
            task.addDependency(other);
        }
        job.addTask(task);
    }
}
