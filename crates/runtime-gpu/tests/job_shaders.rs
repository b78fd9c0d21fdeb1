//! The job shaders that the network ships.
#[test]
fn parse() {
    for (name, source) in [
        ("path_tracer", include_str!("../../network/jobs/path_tracer.wgsl")),
        ("nearest_neighbours", include_str!("../../network/jobs/nearest_neighbours.wgsl")),
    ] {
        let module = match naga::front::wgsl::parse_str(source) {
            Ok(m) => m,
            Err(e) => panic!("{name}: {}", e.emit_to_string(source)),
        };
        if let Err(e) = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty()).validate(&module) {
            panic!("{name}: {}", e.emit_to_string(source));
        }
    }
}
