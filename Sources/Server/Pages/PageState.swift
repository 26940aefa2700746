import Agent

/// The states of the pages: eight words, for repositories and builds alike. A page shows the first that holds.
enum PageState: String, Sendable, CaseIterable {
    /// The world is in the way; it is tried again by itself.
    case failing
    /// The content is in the way; nothing happens before it changes, or before somebody asks for it.
    case stalled
    case building
    case queued
    /// A person's word holds something back.
    case held
    case paused
    case unknown
    case ok

    /// - Parameter queue: the builds of this repository.
    init(_ status: RepositoryStatus, queue: [AgentOverview.Build]) {
        switch status.state {
        case .failing: self = .failing
        case .stalled: self = .stalled
        case .building: self = !queue.isEmpty && queue.allSatisfy { $0.state == .waiting } ? .queued : .building
        case .held: self = .held
        case .paused: self = .paused
        case .starting: self = .unknown
        case .ok: self = .ok
        }
    }

    init(_ build: BuildRecord) {
        switch build.state {
        case .queued: self = .queued
        case .running: self = .building
        case .succeeded: self = .ok
        case .failed: self = build.failure?.kind == .input ? .stalled : .failing
        case .cancelled, .interrupted: self = .unknown
        }
    }

    /// The order in which pages list: what needs attention first.
    var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    var needsAttention: Bool { self == .failing || self == .stalled || self == .held }

    /// Icon, word and colour; the word can be another one.
    func badge(_ word: String? = nil, isBig: Bool = false) -> HTML {
        Tag.span(.class("st \(rawValue)\(isBig ? " big" : "")")) {
            Icon(self).html
            word ?? rawValue
        }
    }
}
