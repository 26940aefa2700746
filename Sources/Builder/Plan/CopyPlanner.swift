import Dockerfile
import OCI

/// Turns a COPY or an ADD into a step.
struct CopyPlanner {
    let instruction: Instruction
    /// The stage's; destinations are relative to it.
    let workingDirectory: String
    let origin: StagePlanner.OriginLookup

    func plan(_ copy: CopyInstruction) throws(BuildError) -> CopyStep {
        for source in copy.sources.paths where AddSource(source) != .local(source) {
            throw BuildError(
                instruction.error(
                    .argument, "COPY takes no remote sources, such as \(RemoteName.shown(source))", near: source,
                    hint: "use ADD"))
        }
        let origin: CopyOrigin =
            try copy.from.map { (name) throws(BuildError) in try self.origin(name, instruction) } ?? .context
        var step = try step(to: copy.sources, mode: copy.chmod, link: copy.link)
        step.origin = origin
        step.sources = copy.sources.paths.map { .path($0) }
        step.owner = copy.chown.flatMap { $0.isEmpty ? nil : $0 }
        step.excludes = copy.excludes
        step.keepsParents = copy.parents
        return step
    }

    func plan(_ add: AddInstruction) throws(BuildError) -> CopyStep {
        try checkChecksum(of: add)
        var sources: [CopyStep.Source] = []
        for text in add.sources.paths {
            do throws(BuildError) { sources.append(try source(text, of: add)) } catch {
                throw error.at(instruction.range.start)
            }
        }
        var step = try step(to: add.sources, mode: add.chmod, link: add.link)
        step.sources = sources
        step.owner = add.chown.flatMap { $0.isEmpty ? nil : $0 }
        step.excludes = add.excludes
        step.unpacks = add.unpack ?? true
        return step
    }

    /// A step that takes no files yet but those that the Dockerfile has.
    private func step(to sources: CopySources, mode text: String?, link: Bool) throws(BuildError) -> CopyStep {
        var mode: FileModeChange?
        if let text, !text.isEmpty {
            do throws(DockerfileError) { mode = try FileModeChange(text) } catch {
                throw BuildError(instruction.locate(error))
            }
        }
        let destination = PathRules.destination(sources.destination, in: workingDirectory)
        return CopyStep(
            origin: .context, sources: [],
            inlineFiles: sources.inline.map { CopyStep.InlineFile(name: $0.name, content: $0.content) },
            destination: destination.isDirectory && destination.path != "/" ? destination.path + "/" : destination.path,
            owner: nil, mode: mode, excludes: [], unpacks: false, isLinked: link && mode == nil)
    }

    // MARK: ADD from elsewhere

    private func checkChecksum(of add: AddInstruction) throws(BuildError) {
        guard add.checksum != nil else { return }
        guard add.sources.paths.count == 1, add.sources.inline.isEmpty else {
            throw BuildError(
                instruction.error(
                    .flag, "--checksum is for a single source", near: "--checksum",
                    hint: "write one ADD for each source"))
        }
        guard let only = add.sources.paths.first, AddSource(only) != .local(only) else {
            throw BuildError(
                instruction.error(
                    .flag, "--checksum is for sources from elsewhere, not for those of the context",
                    near: "--checksum", hint: "leave it out"))
        }
    }

    private func source(_ text: String, of add: AddInstruction) throws(BuildError) -> CopyStep.Source {
        switch AddSource(text) {
        case .local: return .path(text)
        case .url:
            try RemoteName.refuseCredentials(in: text)
            return .url(text, checksum: try add.checksum.map(Self.checksum), unpacks: add.unpack ?? false)
        case .git:
            var locator = try GitLocator(text)
            if let wanted = add.checksum {
                try GitLocator.validate(checksum: wanted)
                guard locator.checksum == nil || locator.checksum == wanted else {
                    throw BuildError(
                        .dockerfile, "--checksum and the git source name different commits",
                        cause: "\(wanted), and \(locator.checksum ?? "")")
                }
                locator.checksum = wanted
            }
            if let flag = add.keepGitDirectory, let own = locator.keepsGitDirectory, flag != own {
                throw BuildError(.dockerfile, "--keep-git-dir and the git source contradict each other")
            }
            return .git(
                locator, keepsGitDirectory: locator.keepsGitDirectory ?? add.keepGitDirectory ?? false)
        }
    }

    private static func checksum(_ text: String) throws(BuildError) -> Digest {
        guard let digest = try? Digest(text), digest.algorithm == .sha256 else {
            throw BuildError(
                .dockerfile, "'\(text)' is not a checksum of a file",
                hint: "write sha256: and 64 hexadecimal digits, as sha256sum prints them")
        }
        return digest
    }
}
