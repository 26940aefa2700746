/// Does what an instruction asks for on top of a stage's layers: one type for each kind of step.
protocol StepExecutor {
    /// The new layer as a directory in overlay format.
    func makeLayer(on layers: StageLayers) async throws(BuildError) -> HostPath
}
