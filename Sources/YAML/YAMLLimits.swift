/// Bounds on foreign YAML. They hold for the text as written and for what its aliases stand for, so that whoever walks
/// a tree through its aliases does bounded work at a bounded depth.
package struct YAMLLimits: Sendable, Equatable {
    /// Bytes of the whole stream.
    package var size: Int
    /// Nesting, counted through aliases.
    package var depth: Int
    /// Nodes of the stream as written.
    package var nodes: Int
    /// Alias occurrences of the stream.
    package var aliases: Int
    /// Nodes of one document with every alias replaced by what it names.
    package var expandedNodes: Int

    package init(
        size: Int = 16 << 20, depth: Int = 100, nodes: Int = 500_000, aliases: Int = 10_000,
        expandedNodes: Int = 1_000_000
    ) {
        self.size = size
        self.depth = depth
        self.nodes = nodes
        self.aliases = aliases
        self.expandedNodes = expandedNodes
    }

    package static let standard = YAMLLimits()
}
