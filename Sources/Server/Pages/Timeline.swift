import Agent
import Text

/// How commits of a repository became images, and images commits: a row for each build, the newest first.
struct Timeline: Sendable {
    private struct Bump {
        let commit: CycleReport.Published
        let at: Int64
        let updates: [CycleReport.Update]
    }

    /// The newest first.
    let builds: [BuildRecord]
    /// The newest first.
    let cycles: [CycleEntry]
    /// Whether all builds that are kept are among them.
    let isWhole: Bool

    static let shortLimit = 20

    @HTMLBuilder func html(_ clock: PageClock) -> HTML {
        if builds.isEmpty {
            Tag.p(.class("card mute")) {
                "No build yet. A build begins when a Dockerfile or its context changes: "
                Tag.code { "builds:" }
                " in "
                Tag.code { ".slipway.yaml" }
                " names them, and kaniko Jobs in the repository are found."
            }
        } else {
            Tag.ol(.class("card lines")) {
                for (index, build) in builds.enumerated() {
                    row(build, isSameCommit: index > 0 && revision(index - 1) == revision(index), clock)
                }
            }
            if !isWhole, builds.count >= Self.shortLimit {
                Tag.p(.class("s pad")) {
                    Tag.a(.href(.same([("all", "1")], at: "h-timeline"))) { "All builds that are kept" }
                }
            }
        }
    }

    private func revision(_ index: Int) -> String? { builds[index].description.revision }

    private func row(_ build: BuildRecord, isSameCommit: Bool, _ clock: PageClock) -> HTML {
        Tag.li(.id("b-\(build.id)")) {
            cell("Commit", .ok, Icon(.ok)) {
                Tag.span {
                    CommitText.html(build.description.revision)
                    if isSameCommit { Tag.span(.class("mute")) { "the same" } }
                }
            }
            cell("Build", PageState(build), Icon(PageState(build))) {
                Tag.span {
                    Tag.a(.href(BuildPage.page(build.id))) { build.description.pipeline.pipeline }
                    " \(BuildPage.word(build)) "
                    BuildPage.times(build, clock)
                }
                Tag.span(.class("s mute cut")) {
                    printable(build.failure?.reason.summary ?? build.description.reason, limit: 500)
                }
            }
            image(of: build)
            bump(of: build, clock)
        }
    }

    private func cell(_ label: String, _ state: PageState, _ icon: Icon, @HTMLBuilder _ content: () -> HTML) -> HTML {
        Tag.div(.class("n \(state.rawValue)")) {
            Tag.span(.class("k s mute")) {
                icon.html
                label
            }
            content()
        }
    }

    private func image(of build: BuildRecord) -> HTML {
        let isMade = build.state == .succeeded
        return cell("Image", isMade ? .ok : .unknown, isMade ? Icon(.ok) : .waiting) {
            for name in build.description.names.prefix(3) where isMade || !build.state.isOver {
                Tag.span(.class(isMade ? "m" : "m mute"), .title(name)) { ReferenceText.short(name) }
            }
            if let digest = build.digest {
                ImageLink.html(digest, of: build.description.pipeline.repository)
            } else {
                Tag.span(.class("s mute")) { build.state.isOver ? "none" : "when the build has ended" }
            }
        }
    }

    private func bump(of build: BuildRecord, _ clock: PageClock) -> HTML {
        let bump = bump(to: build.description.names)
        return cell("Bump", bump == nil ? .unknown : .ok, bump == nil ? .waiting : Icon(.ok)) {
            if let bump {
                Tag.span {
                    CommitText.html(bump.commit.commit)
                    Tag.span(.class("mute")) { clock.moment(bump.at) }
                }
                for update in bump.updates.prefix(3) {
                    Tag.span(.class("s mute")) {
                        "\(update.workload): \(ReferenceText.short(update.old)) → \(ReferenceText.short(update.new))"
                    }
                }
                if bump.updates.count > 3 { Tag.span(.class("s mute")) { "and \(bump.updates.count - 3) more" } }
            } else {
                Tag.span(.class("s mute")) {
                    build.state == .succeeded ? "none: no commit of the agent's wrote it" : "none"
                }
            }
        }
    }

    /// The first commit that wrote one of the names.
    private func bump(to names: [String]) -> Bump? {
        for cycle in cycles.reversed() {
            guard let commit = cycle.commits.last else { continue }
            let updates = cycle.updates.filter { update in
                names.contains { ReferenceText.isWritten($0, as: update.image ?? update.new) }
            }
            if !updates.isEmpty { return Bump(commit: commit, at: cycle.at, updates: updates) }
        }
        return nil
    }
}

/// References as pages that have little room show them.
enum ReferenceText {
    /// The last component with its tag.
    static func short(_ reference: String) -> String { String(reference.split(separator: "/").last ?? "") }

    /// - Parameter written: a reference, perhaps with a digest, or a part of one.
    static func isWritten(_ name: String, as written: String) -> Bool {
        let bare = String(written.prefix { $0 != "@" })
        guard !bare.isEmpty, name != bare else { return name == bare && !bare.isEmpty }
        return name.hasSuffix("/\(bare)") || !bare.contains("/") && name.hasSuffix(":\(bare)")
    }
}
