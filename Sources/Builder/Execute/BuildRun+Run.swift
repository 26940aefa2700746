import ContentStore
import Glibc
import OCI
import Registry
import Sandbox

extension BuildRun {
    /// Runs a step in a root of its own; gives the new layer's directory.
    func perform(_ step: RunStep, on files: inout StageFiles) async throws(BuildError) -> HostPath {
        guard !step.arguments.isEmpty else {
            throw BuildError(.step, "RUN has no command", hint: "write the program and its arguments")
        }
        try Self.refuseForeign(files.base?.image.config.platform ?? request.platform)
        let mode = try await chooseIsolation()
        let root = try await root(of: files)
        let account = try UserLookup(of: root).account(step.user)
        var sandbox = SandboxStep(mode: mode, arguments: step.arguments)
        sandbox.environment = step.environment
        if !step.environment.contains(where: { $0.0 == "HOME" }) { sandbox.environment.append(("HOME", account.home)) }
        sandbox.workingDirectory = step.workingDirectory
        let groups = [account.gid] + account.groups.filter { $0 != account.gid }
        sandbox.user = (uid: account.uid, gid: account.gid, groups: groups)
        sandbox.hasOneIdentity = builder.isolation.rootless
        sandbox.network = step.hasNetwork ? .host : .none
        sandbox.hostname = step.hostname ?? "buildkitsandbox"
        sandbox.timeout = request.stepTimeout
        sandbox.outputLimit = request.stepOutputLimit
        sandbox.processLimit = request.stepProcessLimit
        if let memory = request.stepMemoryLimit, case .success(let group) = DelegatedControlGroup.own {
            sandbox.limits = (group, StepLimits(memory: memory))
        }
        sandbox.storage = (builder.store.path, storageReserve)
        // Programs that write dates into their results take this one (https://reproducible-builds.org/specs/source-date-epoch/).
        if let limit = files.recordLimit, !step.environment.contains(where: { $0.0 == "SOURCE_DATE_EPOCH" }) {
            sandbox.environment.append(("SOURCE_DATE_EPOCH", "\(limit)"))
        }
        var mounts = try await prepare(step, mode, &sandbox)
        defer { mounts.release() }
        let redated = try dateSources(of: step, sandbox, on: files, root, &mounts)

        let upper = try newDirectory()
        switch mode {
        case .namespaces:
            var editor = try LayerEditor(over: root, upper: upper)
            try makeDirectory(step.workingDirectory, with: &editor)
            let work = try newDirectory()
            var lowers = root.layers + asides
            if let layer = try layer(of: redated, on: root) { lowers.append(layer) }
            if let stubs = try makeMountPoints(for: &sandbox, on: root) { lowers.append(stubs) }
            if lowers.isEmpty { lowers = [try newDirectory()] }
            sandbox.root = .overlay(
                lowers: lowers.reversed().map(\.text), upper: editor.upper.text, work: work.text)
            try await run(sandbox, step)
            try scratch.remove(work)
        case .chroot:
            let merged = try merge(root, of: &files)
            sandbox.root = .directory(merged.text)
            // The new layer is laid over the directory all the same, before the next step: it leaves out what may not be in an image.
            try await run(sandbox, step, in: merged, .none, changes: upper, redated)
        case .inPlace:
            let lock = try lockInPlaceRoot()
            defer { close(lock) }
            let place = InPlaceRoot(builder.inPlace.root, kept: builder.inPlace.kept + [builder.store.path])
            try await occupy(place, with: root, stage: stage.index)
            sandbox.root = .directory(place.path)
            sandbox.hosts = savedNames("hosts")
            sandbox.resolvConf = savedNames("resolv.conf")
            let count = root.layers.count
            await board.occupy(nil)
            try await run(sandbox, step, in: place.host, place.kept, changes: upper, redated)
            await board.occupy((stage.index, count))
        }
        try LayerNormalizer(over: root).normalize(upper)
        return upper
    }

    /// Runs a step in a directory that is all of its root, and gathers what it changed.
    private func run(
        _ sandbox: SandboxStep, _ step: RunStep, in root: HostPath, _ kept: KeptPaths,
        changes upper: HostPath, _ redated: [(path: ImagePath, time: Timestamp)]
    ) async throws(BuildError) {
        var sandbox = sandbox
        let ownership = builder.store.ownership
        let shown = try redate(redated, in: root, ownership)
        let before = try WalkSnapshot(of: root, ownership, kept: kept)
        let view = LayeredRoot(layers: [root], ownership: ownership)
        try makeDirectory(step.workingDirectory, in: view, root)
        var places = MountPlaces(on: view, hasOwnDevices: sandbox.mode == .chroot)
        for index in sandbox.mounts.indices { _ = try places.add(&sandbox.mounts[index]) }
        try await run(sandbox, step)
        try before.writeChanges(to: upper)
        try shown.restore()
    }

    /// The image's working directory need not be in its file system.
    private func makeDirectory(
        _ path: String, with editor: inout LayerEditor
    ) throws(BuildError) {
        let resolved = try editor.view.resolve(ImagePath(path))
        guard resolved.item == nil else { return }
        let new = Node(directoryMode: 0o755, modified: .now)
        _ = try editor.ensureDirectory(resolved.path, new: new)
        try editor.finish()
    }

    /// As above, in the one directory that a chroot has.
    private func makeDirectory(
        _ path: String, in view: LayeredRoot, _ merged: HostPath
    ) throws(BuildError) {
        let resolved = try view.resolve(ImagePath(path))
        guard resolved.item == nil else { return }
        let writer = NodeWriter(ownership: view.ownership)
        var here = merged
        for name in resolved.path.components {
            let above = here
            here = here.appending(name)
            guard try Node.read(here, .apply) == nil, let parent = try Node.read(above, view.ownership) else {
                continue
            }
            try writer.makeDirectory(here, Node(directoryMode: 0o755, modified: .now))
            try FileCalls.setModified(above, parent.modified)
        }
    }

    /// Programs of another processor do not run here, unless the kernel was told how.
    private static func refuseForeign(_ platform: Platform) throws(BuildError) {
        let (wanted, host) = (platform.normalized, Platform.host.normalized)
        let runsBeside = ["amd64": "386", "arm64": "arm"]
        guard wanted.os == "linux", !wanted.architecture.isEmpty, wanted.architecture != "unknown",
            wanted.architecture != host.architecture, runsBeside[host.architecture] != wanted.architecture,
            !hasEmulation(wanted.architecture)
        else { return }
        throw BuildError(
            .unsupported, "the step is for \(wanted), and this machine is \(host)",
            cause: "its programs cannot run here",
            hint: "build on such a machine; or compile for it in a stage FROM --platform=$BUILDPLATFORM and COPY the "
                + "result; or register an emulator (qemu-user-static) with binfmt_misc")
    }

    /// https://docs.kernel.org/admin-guide/binfmt-misc.html, under the names that QEMU's packages give.
    private static func hasEmulation(_ architecture: String) -> Bool {
        let names = [
            "amd64": "x86_64", "arm64": "aarch64", "386": "i386", "ppc64le": "ppc64le", "mips64le": "mips64el",
            "mipsle": "mipsel", "loong64": "loongarch64",
        ]
        return access("/proc/sys/fs/binfmt_misc/qemu-\(names[architecture] ?? architecture)", F_OK) == 0
    }

    /// What a step has to leave free on the disk of the state directory: other builds, and the layer, need it too.
    private var storageReserve: Int64 {
        var status = statvfs()
        guard statvfs(builder.store.path, &status) == 0 else { return 0 }
        let total = Int64(clamping: status.f_blocks).multipliedReportingOverflow(by: Int64(clamping: status.f_frsize))
        return total.overflow ? 1 << 30 : min(1 << 30, total.partialValue / 20)
    }

    private func chooseIsolation() async throws(BuildError) -> IsolationMode {
        if let isolation { return isolation }
        let report = await builder.isolation.report
        if let wanted = request.isolation {
            guard report.available.contains(wanted) else {
                throw BuildError(
                    .isolation, "this machine cannot isolate RUN steps by \(wanted.rawValue)",
                    cause: report.reasons[wanted],
                    hint: report.remedies[wanted])
            }
            isolation = wanted
            return wanted
        }
        // Where in-place is all that was asked for, it is all that the report has.
        guard let best = report.automatic ?? (report.available == [.inPlace] ? .inPlace : nil) else {
            let reasons = IsolationMode.allCases.compactMap { mode in
                report.reasons[mode].map { "\(mode.rawValue): \($0)" }
            }
            throw BuildError(
                .isolation, "this machine cannot isolate RUN steps", cause: reasons.joined(separator: "; "),
                hint: "allow user namespaces, or run as root")
        }
        isolation = best
        return best
    }

    /// The stage's file system as one directory, brought up to date with the layers that came since.
    private func merge(_ root: LayeredRoot, of files: inout StageFiles) throws(BuildError) -> HostPath {
        if let merged = files.merged {
            for upper in root.layers[merged.count...] {
                try LayerMerge(ownership: root.ownership).apply(upper, to: merged.directory)
            }
            files.merged = (merged.directory, root.layers.count)
            return merged.directory
        }
        let directory = try newDirectory()
        var copy = TreeCopy(writer: NodeWriter(ownership: root.ownership))
        try copy.materialise(root, at: directory)
        files.merged = (directory, root.layers.count)
        return directory
    }

    private func run(_ sandbox: SandboxStep, _ step: RunStep) async throws(BuildError) {
        let tail = OutputTail()
        let progress = progress
        let result: SandboxResult
        do throws(SandboxError) {
            result = try await Sandbox.run(sandbox) { stream, bytes in
                tail.append(bytes)
                progress(.stepOutput(stream == .stderr ? .stderr : .stdout, bytes))
            }
        } catch {
            let isCancelled = error.stage == .supervision && error.number == ECANCELED
            var failure = BuildError(isCancelled ? .cancelled : .step, "the step could not be run", from: error)
            failure.isTransient = Self.shortages.contains(error.number)
            throw failure
        }
        if result.isOutputTruncated {
            progress(.note("the step printed more than \(request.stepOutputLimit) bytes; the rest is not shown"))
        }
        let what: String
        var hint: String?
        switch result.exit {
        case .exited(0): return
        case .exited(let code):
            what = "the command failed with exit code \(code)"
            hint = StepAdvice.hint(forExitCode: code, step: step, output: tail.text, mode: sandbox.mode)
        case .signaled(let signal):
            what = "the command was killed by signal \(signal)"
            if signal == SIGKILL { hint = "it may have used more memory than the machine or the pod has" }
        case .outOfMemory:
            let limit = (request.stepMemoryLimit ?? 0) >> 20
            what = "the command was killed: out of memory, limit \(limit) MiB of builds.stepMemory (--step-memory)"
            hint =
                "raise the limit, or let the command work on less at a time (make -j, GOMAXPROCS, --max-old-space-size)"
        case .tooManyProcesses:
            what = "the command was stopped: it had more than \(request.stepProcessLimit) processes"
            hint = "does it start itself again and again? A step may have that many processes at a time"
        case .storageFull:
            what = "the command was stopped: it left less than \(storageReserve >> 20) MiB of the disk free"
            hint = "does it write without end? If not, put the state directory on a larger disk"
        case .timedOut:
            what = "the command was stopped: it took longer than the step's time limit"
            hint = "raise the limit for steps, or look why the command hangs; its standard input is empty"
        }
        let command =
            step.arguments.count > 2 && step.arguments[1] == "-c"
            ? step.arguments.dropFirst(2).joined(separator: " ") : step.arguments.joined(separator: " ")
        var cause = command
        let output = tail.text
        if !output.isEmpty { cause += "\n" + output.split(separator: "\n").map { "  | \($0)" }.joined(separator: "\n") }
        // A command may notice the full disk before we do.
        let shortage: DiskShortage? = result.exit == .storageFull ? .bytes : self.shortage(output: output)
        if result.exit != .storageFull, let shortage { hint = shortage.hint(for: "the state directory") }
        var failure = BuildError(.step, what, cause: cause, hint: hint, isTransient: shortage != nil)
        failure.lacksSpace = shortage != nil
        throw failure
    }

    /// What the disk is short of after a command that failed. Of quotas the file system does not tell: the command's own words do.
    private func shortage(output: String) -> DiskShortage? {
        if output.contains(DiskShortage.quota.words) { return .quota }
        guard let space = FreeSpace(of: builder.store.path) else { return nil }
        if space.bytes < storageReserve { return .bytes }
        return space.inodes < Self.fewInodes ? .inodes : nil
    }

    /// Files that a step has to be able to make, at the least.
    private static let fewInodes: Int64 = 64

    /// What the machine may have again a moment later: memory, processes, files, room on the disk.
    private static let shortages: Set<Int32> = [ENOMEM, EAGAIN, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO]
}
