#include <embedding-runtime/Runtime.hpp>

#include <iostream>
#include <vector>

int main() {
  std::vector<float> table = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<int64_t> indices = {2, 0, 3};
  std::vector<float> out(3 * 3);

  embedding::Engine engine;
  engine.lookup(embedding::TensorView(table.data(), {4, 3}),
                embedding::TensorView(indices.data(), {3}),
                embedding::TensorView(out.data(), {3, 3}));
  for (float value : out)
    std::cout << value << " "; // 7 8 9 1 2 3 10 11 12
  std::cout << "\n";

  indices[1] = 4;
  try {
    engine.lookup(embedding::TensorView(table.data(), {4, 3}),
                  embedding::TensorView(indices.data(), {3}),
                  embedding::TensorView(out.data(), {3, 3}));
  } catch (const embedding::Error &error) {
    std::cout << error.what() << "\n";
  }
}
